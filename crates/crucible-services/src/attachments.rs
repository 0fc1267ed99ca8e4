//! The vocabulary of files that notes link to or embed: how one is read.

use async_trait::async_trait;
use bytes::Bytes;

use crate::data_store::Error;

/// Reads files of the vault that are no notes. Object-safe.
#[async_trait]
pub trait Attachments: Send + Sync {
    /// Returns the bytes of the attachment at exactly `path`, relative to the vault. Only what the
    /// index knows as an attachment is read; no link is followed, and nothing outside the vault is
    /// reached.
    ///
    /// # Errors
    /// [`Error::NotFound`] for everything else, notes included; [`Error::InvalidQuery`] when the
    /// file has more than `bytes_max` bytes.
    async fn attachment(&self, path: &str, bytes_max: u64) -> Result<Bytes, Error>;
}
