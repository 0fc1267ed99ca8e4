//! What the operating system refuses, in words.

use std::io;

use crucible_services::note_writer::Error;

/// Makes an error of what the system said of `what`, such as `"notes/a.md"`.
pub(super) fn of_system(what: &str, error: &io::Error) -> Error {
    let cure = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; make room and try again: nothing was changed"
        }
        io::ErrorKind::PermissionDenied => {
            "check the permissions of the folder: nothing was changed"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            return Error::ReadOnly {
                reason: format!(
                    "{what} is on a file system that is mounted read-only; mount it for writing"
                ),
            };
        }
        io::ErrorKind::NotADirectory => {
            "a folder on the way is a file or a link, and links are \
                                         not followed"
        }
        _ => "nothing was changed",
    };
    Error::Internal {
        message: format!("{what:?} cannot be written ({error}): {cure}"),
    }
}

/// Makes an error of what happened to the record of changes.
pub(super) fn of_record(error: &io::Error) -> Error {
    let cure = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on the disk",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "let the daemon write to its data folder"
        }
        _ => "check the disk",
    };
    Error::Internal {
        message: format!("the record of changes cannot be written ({error}); {cure}"),
    }
}
