//! The vocabulary of writing: how notes are created, edited, moved and brought back.
//!
//! Every change names the content that the writer has seen, by its hash; a note that has other
//! content by now is left alone and the conflict is told. What a change replaces is kept as a
//! former version, so that it can be undone.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::events::Cause;

/// Changes notes safely. Object-safe.
///
/// On return of `Ok` the new content is on disk, what it replaced is kept, and the index has taken
/// it over: a search may still be behind, a read is not.
#[async_trait]
pub trait NoteWriter: Send + Sync {
    /// Creates a note; never replaces a file.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::InvalidPath`].
    async fn create(&self, request: CreateNote, by: Author) -> Result<Written, Error>;

    /// Changes the text of a note: all edits, or none.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the note has other content than the writer saw,
    /// [`Error::EditRefused`] when an edit does not fit the text.
    async fn edit(&self, request: EditNote, by: Author) -> Result<Written, Error>;

    /// Moves or renames a note, and rewrites the links of other notes to it when asked.
    ///
    /// # Errors
    /// [`Error::Conflict`], [`Error::Exists`].
    async fn rename(&self, request: MoveNote, by: Author) -> Result<Written, Error>;

    /// Deletes a note; its content stays among the former versions.
    ///
    /// # Errors
    /// [`Error::Conflict`].
    async fn delete(&self, request: DeleteNote, by: Author) -> Result<Written, Error>;

    /// Undoes one change, that of `change` or else the newest that is not undone yet. Undoing is a
    /// change of its own, so it can be undone too.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a file has changed since, [`Error::NothingToUndo`].
    async fn undo(&self, change: Option<&str>, by: Author) -> Result<Written, Error>;

    /// Returns the changes made through this trait, newest first; of one note, or of all.
    ///
    /// # Errors
    /// When the record of changes cannot be read.
    async fn history(&self, path: Option<&str>, limit: usize) -> Result<Vec<Change>, Error>;
}

/// Who makes a change, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// A name for the record: `cli`, `mcp:claude`, `script:weekly`, `api:token-name`.
    pub name: String,
    /// The event that led to the change; `None` when it begins something.
    pub cause: Option<Cause>,
}

impl Author {
    /// Creates an author whose change begins something.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cause: None,
        }
    }

    /// Says which event led to the change.
    #[must_use]
    pub fn caused_by(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }
}

/// A note to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreateNote {
    /// Where, relative to the vault; `.md` is added when missing; missing folders are created.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Edits of one note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditNote {
    /// The note's path.
    pub path: String,
    /// The hash of the content that the writer has seen ([`crate::data_store::NoteSummary::hash`]).
    pub seen: String,
    /// The edits, each applied to the result of the one before.
    pub edits: Vec<Edit>,
}

/// One edit of a note's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Replaces the whole text.
    Overwrite {
        /// The new text.
        text: String,
    },
    /// Replaces a piece that occurs exactly once.
    Replace {
        /// The piece, as it stands in the note.
        old: String,
        /// What takes its place.
        new: String,
    },
    /// Adds at the end, on a line of its own.
    Append {
        /// What to add.
        text: String,
    },
    /// Adds at the beginning, after the frontmatter, on a line of its own.
    Prepend {
        /// What to add.
        text: String,
    },
    /// Adds at the end of the section below a heading, before the next heading of its level.
    AppendToSection {
        /// The heading's text; a path such as `Work/Today` for nested headings.
        heading: String,
        /// What to add.
        text: String,
    },
    /// Replaces what stands below a heading, up to the next heading of its level.
    ReplaceSection {
        /// The heading's text; a path such as `Work/Today` for nested headings.
        heading: String,
        /// The new body of the section; the heading stays.
        text: String,
    },
}

/// A note to move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoveNote {
    /// The note's path.
    pub from: String,
    /// Its new path; `.md` is added when missing.
    pub to: String,
    /// The hash of the content that the writer has seen.
    pub seen: String,
    /// Whether links of other notes that would break are rewritten.
    pub update_links: bool,
}

/// A note to delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteNote {
    /// The note's path.
    pub path: String,
    /// The hash of the content that the writer has seen.
    pub seen: String,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Written {
    /// Identifies the change, for [`NoteWriter::undo`].
    pub change: String,
    /// Where the note is now; where it was, when it was deleted.
    pub path: String,
    /// The hash of its content now; `None` when it was deleted.
    pub hash: Option<String>,
    /// Other notes whose links were rewritten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// One change of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Identifies it, for [`NoteWriter::undo`].
    pub id: String,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Who made it.
    pub by: String,
    /// What was done.
    pub action: ChangeAction,
    /// The note's path after the change; before it, when it was deleted.
    pub path: String,
    /// The note's path before the change, when it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The hash of the content before the change; `None` when there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The hash of the content after it; `None` when there is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Other notes whose links were rewritten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The change that undid this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
}

/// What a change did to a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// It was created.
    Create,
    /// Its text changed.
    Edit,
    /// It was moved.
    Move,
    /// It was deleted.
    Delete,
    /// A former change was undone.
    Undo,
}

/// Why a note was not changed. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No note is there.
    #[error("there is no note at {path:?}")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// Something is there already.
    #[error("{path:?} exists already")]
    Exists {
        /// The path asked for.
        path: String,
    },
    /// The path cannot be a note's.
    #[error("{path:?} cannot be a note's path: {reason}")]
    InvalidPath {
        /// The path asked for.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The note has other content than the writer has seen. Nothing was written.
    #[error("{path:?} has changed since it was read; read it again and repeat the change")]
    Conflict {
        /// The note's path.
        path: String,
        /// The hash that the writer named.
        seen: String,
        /// The hash of the content now; `None` when the file is gone.
        current: Option<String>,
        /// The content now, when it is text and not too long to tell.
        text: Option<String>,
    },
    /// An edit does not fit the text. Nothing was written.
    #[error("edit {index} does not fit: {reason}")]
    EditRefused {
        /// Which edit, from 1.
        index: usize,
        /// Why, and how to mend it.
        reason: String,
    },
    /// There is no change that could be undone.
    #[error("{reason}")]
    NothingToUndo {
        /// Why.
        reason: String,
    },
    /// Writing is switched off here.
    #[error("this vault cannot be written here: {reason}")]
    ReadOnly {
        /// Why, and how to change it.
        reason: String,
    },
    /// The operating system refused, or the record is damaged.
    #[error("{message}")]
    Internal {
        /// What happened, in words.
        message: String,
    },
}
