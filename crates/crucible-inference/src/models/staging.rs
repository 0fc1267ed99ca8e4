//! The folder in which a model is put together before it gets its name.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{self, Manifest};
use super::{Error, FILES, try_out};

/// The file whose lock says that a process is at work.
const LOCK: &str = "lock";
/// The file that says which version of a model the others are of.
const VERSION: &str = "version";

/// A folder that one process at a time fills.
#[derive(Debug)]
pub(super) struct Staging {
    folder: PathBuf,
    /// Holds the lock; the system lets go of it however the process ends.
    _lock: File,
}

impl Staging {
    /// Opens the folder for the model `name` beside the others; it may hold what an earlier pull
    /// left.
    pub(super) fn open(library: &Path, name: &str) -> Result<Self, Error> {
        let folder = library.join(format!(".pull-{name}"));
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(Error::io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy(name.to_owned())),
            Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
        }
    }

    /// Throws away what is there unless it is of this version.
    pub(super) fn keep_only(&self, version: &str) -> Result<(), Error> {
        let path = self.folder.join(VERSION);
        if fs::read_to_string(&path).is_ok_and(|found| found == version) {
            return Ok(());
        }
        for name in FILES {
            for path in [self.path(name), self.part(name)] {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::io(&path)(error));
                    }
                    _ => {}
                }
            }
        }
        fs::write(&path, version).map_err(Error::io(&path))
    }

    /// Returns where a file goes; the folder that it is in is there.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns where a file goes while it is not whole.
    pub(super) fn part(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.part"))
    }

    /// Makes the folder that a file is in.
    pub(super) fn make_room(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(Error::io(parent))
    }

    /// Returns the bytes of all files that are whole.
    pub(super) fn bytes(&self) -> Result<u64, Error> {
        manifest::size(&self.folder)
    }

    /// Tries the model, notes where it came from, and moves it to `target`.
    pub(super) fn finish(self, source: &str, target: &Path) -> Result<(), Error> {
        let Self {
            folder,
            _lock: lock,
        } = self;
        if let Err(reason) = try_out(&folder) {
            drop(lock);
            remove_folder(&folder)?;
            let what = source.to_owned();
            return Err(Error::Unusable { what, reason });
        }
        Manifest::make(&folder, source)?.write(&folder)?;
        for name in [VERSION, LOCK] {
            let _absent = fs::remove_file(folder.join(name));
        }
        let old = folder.with_extension("old");
        remove_folder(&old)?;
        if target.exists() {
            fs::rename(target, &old).map_err(Error::io(target))?;
        }
        fs::rename(&folder, target).map_err(Error::io(target))?;
        if let Some(library) = target.parent() {
            let synced = File::open(library).and_then(|library| library.sync_all());
            synced.map_err(Error::io(library))?;
        }
        drop(lock);
        remove_folder(&old)
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}
