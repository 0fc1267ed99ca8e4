//! One comparison of the whole folder with the index, from end to end.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crucible_services::data_store;
use crucible_services::note_index::NoteIndex;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::folder::VaultFolder;

/// What a comparison found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Files seen, of all sorts.
    pub files: u64,
    /// Files seen that are notes.
    pub notes: u64,
    /// Files whose stamp was known, so that they were not read.
    pub unchanged: u64,
    /// Files handed over as new or changed.
    pub upserted: u64,
    /// Files handed over under another name, unread.
    pub moved: u64,
    /// Files taken out of the index.
    pub removed: u64,
    /// Files seen that are skipped; each is named as a problem in the index.
    pub skipped: u64,
    /// How long looking took.
    pub walk: Duration,
    /// How long reading and handing over took.
    pub apply: Duration,
}

/// Why a comparison ended early. Messages read after "failed to compare the vault: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The folder is not there any more; the index keeps what it knows.
    #[error(
        "the vault folder {} is gone or unreadable; mount the disk or put it back: the index is \
         kept as it is",
        root.display()
    )]
    FolderGone {
        /// The folder.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has no entry at all, while the index knows files.
    ///
    /// An unmounted disk looks like this, so the index is kept. The folder is believed as soon as
    /// it has any entry, hidden ones included.
    #[error(
        "the vault folder {} is empty, but the index knows {known} files; mount the disk, or, if \
         all notes were really deleted, create any file in it: the index is kept as it is",
        root.display()
    )]
    FolderEmpty {
        /// The folder.
        root: PathBuf,
        /// How many files the index knows.
        known: usize,
    },
    /// The index refused.
    #[error("the index did not take the changes; they are tried again")]
    Index(#[from] data_store::Error),
    /// The token was cancelled.
    #[error("it was interrupted")]
    Interrupted,
    /// Something in the vault broke.
    #[error("it broke off ({0}); it is tried again")]
    Broken(String),
}

/// Compares the whole folder with `index` and hands over what differs.
///
/// An unchanged file is not read. A file whose absence or content is in doubt, because somebody
/// is writing it, is looked at again a moment later. Ends early when `token` is cancelled; the
/// batches handed over until then stay.
///
/// # Errors
/// When the folder or the index fails; see [`ReconcileError`].
pub async fn reconcile(
    folder: &VaultFolder,
    index: &dyn NoteIndex,
    token: &CancellationToken,
) -> Result<ReconcileReport, ReconcileError> {
    let mut engine = Engine::begin(folder.clone(), index, token.clone()).await?;
    engine.reconcile(None).await
}
