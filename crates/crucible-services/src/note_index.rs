//! How a vault hands its files to the index, and how the index reads a file back.
//!
//! The vault looks at files; the index derives facts from them. Neither names the other: the
//! vault is handed a [`NoteIndex`], the index a [`NoteSource`].

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::data_store::{Error, Problem};
use crate::events::Cause;

/// Takes files over into an index. Applying the same change twice changes nothing.
#[async_trait]
pub trait NoteIndex: Send + Sync {
    /// Returns every file that the index knows, by vault path, with the stamp it was taken at.
    ///
    /// Files known only by a [`Problem`] are included, so that an unchanged faulty file is not
    /// read again.
    ///
    /// # Errors
    /// When the index cannot be read.
    async fn known_files(&self) -> Result<HashMap<String, FileStamp>, Error>;

    /// Takes over a batch, in order; durable against a crash of this process on return.
    ///
    /// Keep a batch under some thousand files and 16 MiB of content: it is one transaction.
    ///
    /// # Errors
    /// When the batch could not be written; then none of it was.
    async fn apply(&self, batch: ChangeBatch) -> Result<Applied, Error>;

    /// Waits until everything applied before this call can be found by search.
    ///
    /// # Errors
    /// When the text index cannot be written.
    async fn settle(&self) -> Result<(), Error>;
}

/// Reads a note's file as it is now.
#[async_trait]
pub trait NoteSource: Send + Sync {
    /// Returns the file's bytes; `path` is relative to the vault and can never leave it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the file is gone, [`Error::Internal`] when it cannot be read.
    async fn read(&self, path: &str) -> Result<Bytes, Error>;
}

/// What `stat` says of a file; equal stamps mean an unchanged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// The file's number in its file system; 0 where there is none.
    pub inode: u64,
}

/// Some changes that are taken over together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeBatch {
    /// The changes, in order.
    pub changes: Vec<FileChange>,
    /// Whether listeners are told of each change, or it belongs to the first build of an index.
    pub origin: ChangeOrigin,
    /// The event that led to the changes, when they are the daemon's own writes; the events told
    /// of them follow it. `None` for what somebody else did to the files.
    pub cause: Option<Cause>,
}

/// Why a change is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOrigin {
    /// The file changed: listeners are told.
    Change,
    /// The index is built for the first time: nothing happened to the file.
    FirstIndex,
}

/// One change to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// The file is new or has other content.
    Upsert {
        /// Where.
        path: String,
        /// The stamp taken before the content was read.
        stamp: FileStamp,
        /// The content; empty for a file that is not a note (an attachment).
        content: FileContent,
    },
    /// The file has another name and the same content.
    Move {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
        /// The stamp at the new place.
        stamp: FileStamp,
    },
    /// The file is gone.
    Remove {
        /// Where it was.
        path: String,
    },
    /// The file was skipped.
    Skip {
        /// Why; its path is the file's.
        problem: Problem,
        /// The stamp, where one could be taken.
        stamp: Option<FileStamp>,
    },
}

/// What a file holds, as far as the index cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// A note's bytes.
    Note(Bytes),
    /// A file that notes can link to or embed; its bytes are not read.
    Attachment,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Notes parsed.
    pub parsed: u64,
    /// Files whose content was the same as before, so that only the stamp was renewed.
    pub unchanged: u64,
    /// Files removed.
    pub removed: u64,
    /// Files moved.
    pub moved: u64,
    /// Files skipped.
    pub skipped: u64,
}
