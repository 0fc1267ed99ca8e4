//! One file as it was found on disk.

use std::fs::Metadata;
use std::io;
use std::path::Path;

use crucible_services::data_store::{Problem, ProblemKind};
use crucible_services::note_index::FileStamp;

use crate::folder::VaultFolder;
use crate::names;
use crate::stamp::{NEVER, stamp_of};

/// A file of the vault, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its vault path; for a name that is not UTF-8, a name for people.
    pub(crate) path: String,
    /// What `stat` said, or [`NEVER`] where it said nothing that can be relied on.
    pub(crate) stamp: FileStamp,
    /// What is to become of it.
    pub(crate) class: Class,
}

/// What is to become of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It is read and indexed.
    Note,
    /// Its path is indexed.
    Attachment,
    /// It is skipped and named.
    Fault(Problem),
}

impl Found {
    /// Classifies what `metadata`, not following links, says of `relative`; `None` when nothing
    /// is there or it is a folder.
    pub(crate) fn classify(
        folder: &VaultFolder,
        relative: &Path,
        metadata: io::Result<Metadata>,
    ) -> Option<Self> {
        let name = names::vault_path(relative);
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return None,
            Err(error) => return Some(Self::unreadable(into_inner(name), &error)),
        };
        if metadata.is_dir() {
            return None;
        }
        let stamp = stamp_of(&metadata);
        let path = match name {
            Ok(path) => path,
            Err(shown) => return Some(Self::name_not_utf8(shown, stamp)),
        };
        let class = if metadata.is_symlink() {
            Class::Fault(link(folder, &path))
        } else if !metadata.is_file() {
            Class::Fault(not_regular(&path))
        } else if !names::is_note(&path) {
            Class::Attachment
        } else if metadata.len() > folder.note_bytes_max() {
            Class::Fault(too_large(&path, metadata.len(), folder.note_bytes_max()))
        } else {
            Class::Note
        };
        Some(Self { path, stamp, class })
    }

    /// A file or folder whose name is not UTF-8.
    pub(crate) fn name_not_utf8(shown: String, stamp: FileStamp) -> Self {
        let message = "the name is not UTF-8, so no link can name it; rename it".to_owned();
        Self::fault(shown, stamp, ProblemKind::NameNotUtf8, message)
    }

    /// A file or folder that the system does not let us look at.
    pub(crate) fn unreadable(path: String, error: &io::Error) -> Self {
        let problem = unreadable(&path, error);
        Self {
            path,
            stamp: NEVER,
            class: Class::Fault(problem),
        }
    }

    /// A folder below the limit of depth.
    pub(crate) fn too_deep(path: String, stamp: FileStamp, depth_max: usize) -> Self {
        let message = format!(
            "the folder lies more than {depth_max} folders deep, so nothing in it is indexed; \
             move it up"
        );
        Self::fault(path, stamp, ProblemKind::TooDeep, message)
    }

    fn fault(path: String, stamp: FileStamp, kind: ProblemKind, message: String) -> Self {
        let problem = Problem {
            path: path.clone(),
            kind,
            message,
            line: None,
        };
        Self {
            path,
            stamp,
            class: Class::Fault(problem),
        }
    }
}

/// Says whether an error means that nothing is there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The problem of a file or folder that the system does not let us read.
pub(crate) fn unreadable(path: &str, error: &io::Error) -> Problem {
    Problem {
        path: path.to_owned(),
        kind: ProblemKind::Unreadable,
        message: format!("it cannot be read ({error}); check its permissions and the disk"),
        line: None,
    }
}

/// The problem of a note above the limit of size.
pub(crate) fn too_large(path: &str, size_bytes: u64, limit_bytes: u64) -> Problem {
    Problem {
        path: path.to_owned(),
        kind: ProblemKind::TooLarge,
        message: format!(
            "the note has {size_bytes} bytes and the limit is {limit_bytes}; split it, or raise \
             the limit"
        ),
        line: None,
    }
}

/// The problem of a pipe, a socket or a device.
pub(crate) fn not_regular(path: &str) -> Problem {
    Problem {
        path: path.to_owned(),
        kind: ProblemKind::NotRegular,
        message: "it is not a regular file but a pipe, a socket or a device; move it out of the \
                  vault"
            .to_owned(),
        line: None,
    }
}

/// The problem of a symbolic link, which is never followed.
pub(crate) fn link(folder: &VaultFolder, path: &str) -> Problem {
    let place = folder.root().join(path);
    let target = std::fs::read_link(&place)
        .map_or_else(|_| "somewhere".to_owned(), |to| to.display().to_string());
    let leads = match std::fs::canonicalize(&place) {
        Ok(end) if end.starts_with(folder.root()) => "back into the vault",
        Ok(_) => "out of the vault",
        Err(error) if is_absent(&error) => "nowhere",
        Err(_) => "in a circle or where it cannot be followed",
    };
    Problem {
        path: path.to_owned(),
        kind: ProblemKind::Link,
        message: format!(
            "it is a link to {target:?}, which leads {leads}; links are not followed: put the \
             file itself here"
        ),
        line: None,
    }
}

fn into_inner(name: Result<String, String>) -> String {
    match name {
        Ok(name) | Err(name) => name,
    }
}
