//! What can go wrong with the text index, and the fence around the library that keeps it.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

/// Why the text index does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Its files are damaged or of another version; move the folder aside and index again.
    #[error("the text index is damaged ({reason}); it can be rebuilt from the notes")]
    Damaged {
        /// What was found, in words.
        reason: String,
    },
    /// Nobody has built an index in this folder yet.
    #[error("there is no text index yet; it is built when the vault is served")]
    Absent,
    /// Another process, or another part of this one, writes this index.
    #[error("the text index is being written by another process; stop that one first")]
    Busy,
    /// The operating system refused; the index itself is not in doubt.
    #[error("the text index cannot be used: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// There is no room on the disk; the last commit is as it was.
    #[error("the disk is full ({reason})")]
    Full {
        /// What the operating system said.
        reason: String,
    },
    /// The query has nothing that can be searched.
    #[error("{message}")]
    InvalidQuery {
        /// What is wrong and how to mend it.
        message: String,
    },
}

impl Error {
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged {
            reason: reason.into(),
        }
    }
}

impl From<TantivyError> for Error {
    fn from(error: TantivyError) -> Self {
        let reason = error.to_string();
        if speaks_of_room(&error) {
            return Self::Full { reason };
        }
        let refused = match &error {
            TantivyError::LockFailure(..) => return Self::Busy,
            TantivyError::IoError(io)
            | TantivyError::OpenReadError(OpenReadError::IoError { io_error: io, .. })
            | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error: io, .. })
            | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError {
                io_error: io, ..
            }) => is_refusal(io.kind()),
            TantivyError::SystemError(_) | TantivyError::OpenDirectoryError(_) => true,
            _ => false,
        };
        if refused {
            Self::Refused { reason }
        } else {
            Self::Damaged { reason }
        }
    }
}

/// Says whether the library failed for want of room, however it wrapped that.
fn speaks_of_room(error: &TantivyError) -> bool {
    match error {
        TantivyError::IoError(io)
        | TantivyError::LockFailure(LockError::IoError(io), _)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error: io, .. })
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error: io, .. })
        | TantivyError::OpenDirectoryError(
            OpenDirectoryError::IoError { io_error: io, .. }
            | OpenDirectoryError::FailedToCreateTempDir(io),
        ) => is_full(io),
        _ => false,
    }
}

/// Says whether an I/O error, or one that it wraps, tells that there is no room.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    let mut cause = Some(error);
    while let Some(io) = cause {
        if matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            return true;
        }
        cause = io.get_ref().and_then(|inner| inner.downcast_ref());
    }
    false
}

/// Whether an I/O error speaks of the machine, not of what stands in the files.
const fn is_refusal(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::InvalidData
            | ErrorKind::InvalidInput
            | ErrorKind::UnexpectedEof
            | ErrorKind::NotFound
            | ErrorKind::Other
    )
}

/// Runs `work`; a panic inside the library, as damaged files can cause, comes out as
/// [`Error::Damaged`].
pub(super) fn fenced<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(Error::damaged(format!("reading it panicked: {said}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_out_as_damage() {
        let error = fenced::<()>(|| panic!("slice index")).unwrap_err();
        assert!(matches!(&error, Error::Damaged { reason } if reason.contains("slice index")));
    }

    #[test]
    fn a_full_disk_is_not_damage() {
        let full = std::io::Error::from(ErrorKind::StorageFull);
        assert!(matches!(
            Error::from(TantivyError::from(full)),
            Error::Full { .. }
        ));
        let wrapped = std::io::Error::other(std::io::Error::from(ErrorKind::StorageFull));
        assert!(matches!(
            Error::from(TantivyError::from(wrapped)),
            Error::Full { .. }
        ));
        let cut = std::io::Error::from(ErrorKind::UnexpectedEof);
        assert!(matches!(
            Error::from(TantivyError::from(cut)),
            Error::Damaged { .. }
        ));
    }
}
