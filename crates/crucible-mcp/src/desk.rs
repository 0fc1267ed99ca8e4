//! What a tool works with: the notes, the way to change them, and on whose behalf.

use std::sync::Arc;

use crucible_services::data_store::DataStore;
use crucible_services::note_writer::{Author, NoteWriter};

use crate::fault::{Fault, FaultKind};

/// What one call works with.
pub(crate) struct Desk<'a> {
    pub(crate) store: &'a dyn DataStore,
    writer: Option<&'a Arc<dyn NoteWriter>>,
    /// Who changes notes, and the event of the call.
    pub(crate) author: Author,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(
        store: &'a dyn DataStore,
        writer: Option<&'a Arc<dyn NoteWriter>>,
        author: Author,
    ) -> Self {
        Self {
            store,
            writer,
            author,
        }
    }

    /// Returns the way to change notes.
    ///
    /// # Errors
    /// When there is none; tools that need it are not listed then.
    pub(crate) fn writer(&self) -> Result<&dyn NoteWriter, Fault> {
        self.writer.map(AsRef::as_ref).ok_or_else(|| {
            Fault::new(
                FaultKind::ReadOnly,
                "Notes cannot be changed over this connection. Tell the person what you would \
                 have written.",
            )
        })
    }
}
