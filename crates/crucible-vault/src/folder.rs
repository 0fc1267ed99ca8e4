//! The folder itself: opened once, read on behalf of others.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crucible_services::data_store::Error;
use crucible_services::note_index::NoteSource;

use crate::config::VaultConfig;
use crate::names;
use crate::read::{ReadNote, read_note};
use crate::turn::Turn;

/// How many quiet periods a file must be missing before it counts as deleted: editors save by
/// taking the old file away and putting the new one in its place.
const GRACE_PERIODS: u32 = 2;

/// The folder of a vault. Cheap to clone; what follows the folder and what writes to it must be
/// handed clones of one, so that they tell the index in turns.
#[derive(Clone, Debug)]
pub struct VaultFolder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    note_bytes_max: u64,
    depth_max: usize,
    removal_grace: Duration,
    turn: Turn,
}

/// Why a folder cannot be a vault. Messages read after "failed to open the vault: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing is there.
    #[error("there is no folder {}; check the path, or create the folder", path.display())]
    NotFound {
        /// The path given.
        path: PathBuf,
    },
    /// A file is there.
    #[error("{} is not a folder; give the folder that holds your notes", path.display())]
    NotAFolder {
        /// The path given.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the folder {} cannot be read; check its permissions and the disk", path.display())]
    Unreadable {
        /// The path given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Tells one folder from another that is mounted or moved to the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FolderIdentity {
    device: u64,
    inode: u64,
}

impl VaultFolder {
    /// Opens the folder that `config` names, and looks whether it can be listed.
    ///
    /// # Errors
    /// When it is not there, not a folder, or not readable.
    pub fn open(config: &VaultConfig) -> Result<Self, OpenError> {
        let path = &config.root;
        let refuse = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::NotFound { path: path.clone() },
            io::ErrorKind::NotADirectory => OpenError::NotAFolder { path: path.clone() },
            _ => OpenError::Unreadable {
                path: path.clone(),
                source,
            },
        };
        let root = path.canonicalize().map_err(refuse)?;
        // `read_dir` says NotADirectory for a file.
        let _listing = std::fs::read_dir(&root).map_err(refuse)?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                note_bytes_max: config.note_bytes_max,
                depth_max: config.depth_max,
                removal_grace: config.quiet_period * GRACE_PERIODS,
                turn: Turn::default(),
            }),
        })
    }

    /// Returns the folder's canonical path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    pub(crate) fn note_bytes_max(&self) -> u64 {
        self.inner.note_bytes_max
    }

    pub(crate) fn depth_max(&self) -> usize {
        self.inner.depth_max
    }

    /// Returns how long a file must be missing before it counts as deleted.
    pub(crate) fn removal_grace(&self) -> Duration {
        self.inner.removal_grace
    }

    /// Returns whose turn it is to tell the index; all clones share it.
    pub(crate) fn turn(&self) -> &Turn {
        &self.inner.turn
    }

    /// Returns which folder is at the root's path now.
    pub(crate) fn identity(&self) -> io::Result<FolderIdentity> {
        let metadata = std::fs::symlink_metadata(self.root())?;
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(FolderIdentity {
                device: metadata.dev(),
                inode: metadata.ino(),
            })
        }
        #[cfg(not(unix))]
        Ok(FolderIdentity {
            device: 0,
            inode: 0,
        })
    }

    fn read_now(&self, path: &str) -> Result<Bytes, Error> {
        let not_found = || Error::NotFound {
            reference: path.to_owned(),
            candidates: Vec::new(),
        };
        if !names::is_inside(path) {
            return Err(not_found());
        }
        match read_note(self, path, || ()) {
            ReadNote::Whole { content, .. } => Ok(content),
            ReadNote::Gone => Err(not_found()),
            ReadNote::Fault { problem, .. } => Err(Error::Internal {
                message: format!("{path:?}: {}", problem.message),
            }),
        }
    }
}

#[async_trait]
impl NoteSource for VaultFolder {
    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        let folder = self.clone();
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || folder.read_now(&path))
            .await
            .unwrap_or_else(|error| {
                Err(Error::Internal {
                    message: error.to_string(),
                })
            })
    }
}
