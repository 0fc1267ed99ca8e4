//! Only one process writes the index of a vault, and others can find it.
//!
//! The writer holds an operating-system lock on `lock` for as long as it lives: the lock goes with
//! the process, however it ends. Beside it, `instance.json` says who the writer is and where its
//! API listens; it is a hint for people and clients and never decides anything. `token` lets the
//! same person's programs in at that API: only its owner can read it, and it ends with the process.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::location::Location;

const LOCK: &str = "lock";
const INSTANCE: &str = "instance.json";
const TOKEN: &str = "token";
/// [`running`] holds the lock for an instant to see whether anyone else does; whoever wants to
/// write must not take that for a writer.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Who writes the index of a vault now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The process.
    pub pid: u32,
    /// What it runs as: `serve`, `mcp`, or the name of a command.
    pub role: String,
    /// Where its API listens; `None` when it has none.
    #[serde(default)]
    pub api: Option<SocketAddr>,
    /// Its version.
    pub version: String,
}

/// The right to write; given back when dropped.
#[derive(Debug)]
pub struct InstanceLock {
    // Closing the file releases the lock, so it must live as long as this.
    _file: File,
    description: PathBuf,
}

impl InstanceLock {
    /// Takes the right to write, or gives up after a fifth of a second. Blocks the thread.
    ///
    /// # Errors
    /// [`Error::Held`] when another process has it.
    pub fn acquire(location: &Location, instance: &Instance) -> Result<Self, Error> {
        let path = location.home().join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| Error::Io {
                path: path.clone(),
                source,
            })?;
        let mut tries = 1;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(BETWEEN_TRIES);
                }
                Err(TryLockError::WouldBlock) => {
                    let vault = location.vault().to_owned();
                    return Err(Error::Held {
                        vault,
                        holder: read(location),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(Error::Io { path, source }),
            }
        }
        let lock = Self {
            _file: file,
            description: location.home().join(INSTANCE),
        };
        lock.describe(instance)?;
        Ok(lock)
    }

    /// Says who holds the right; called again once the API's address is known.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn describe(&self, instance: &Instance) -> Result<(), Error> {
        let refused = |source| Error::Io {
            path: self.description.clone(),
            source,
        };
        let text = serde_json::to_vec(instance).expect("plain data serialises");
        let draft = self.description.with_extension("json.new");
        let mut file = File::create(&draft).map_err(refused)?;
        file.write_all(&text).map_err(refused)?;
        // A reader sees the old description or the new one, never half of one.
        fs::rename(&draft, &self.description).map_err(refused)
    }
}

impl InstanceLock {
    /// Leaves a token where programs of the same person find it; see [`token`].
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn leave_token(&self, secret: &str) -> Result<(), Error> {
        let path = self.description.with_file_name(TOKEN);
        let refused = |source| Error::Io {
            path: path.clone(),
            source,
        };
        // A file of a process that was killed may have been opened by somebody: it is not reused.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
            _ => {}
        }
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(refused)?;
        file.write_all(secret.as_bytes()).map_err(refused)
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        let _absent = fs::remove_file(self.description.with_file_name(TOKEN));
        if let Err(error) = fs::remove_file(&self.description) {
            tracing::debug!(%error, "the description of this instance could not be removed");
        }
    }
}

/// Returns who writes the index of a vault now; `None` when nobody does.
#[must_use]
pub fn running(location: &Location) -> Option<Instance> {
    let lock = File::options()
        .write(true)
        .open(location.home().join(LOCK))
        .ok()?;
    match lock.try_lock_shared() {
        // Nobody holds it: what the description says is left from a process that was killed.
        Ok(()) => None,
        Err(_held) => read(location),
    }
}

/// Returns the token that the process which serves the vault has left for the same person's
/// programs; `None` when there is none, or it is not this person's.
#[must_use]
pub fn token(location: &Location) -> Option<String> {
    fs::read_to_string(location.home().join(TOKEN)).ok()
}

fn read(location: &Location) -> Option<Instance> {
    let text = fs::read_to_string(location.home().join(INSTANCE)).ok()?;
    serde_json::from_str(&text).ok()
}

fn describe_holder(holder: Option<&Instance>) -> String {
    match holder {
        Some(Instance {
            pid,
            role,
            api: Some(api),
            ..
        }) => {
            format!("`crucible {role}`, process {pid}, API at http://{api}/")
        }
        Some(Instance {
            pid,
            role,
            api: None,
            ..
        }) => format!("`crucible {role}`, process {pid}"),
        None => "another process".to_owned(),
    }
}

/// Why the right to write was not given. Messages read after "failed to start: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has it.
    #[error(
        "{} is already in use by {}; stop that process first, or work through it",
        vault.display(), describe_holder(holder.as_ref())
    )]
    Held {
        /// The vault.
        vault: PathBuf,
        /// Who has it, where that is known.
        holder: Option<Instance>,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(role: &str) -> Instance {
        Instance {
            pid: 7,
            role: role.to_owned(),
            api: None,
            version: "1.2.3".to_owned(),
        }
    }

    fn location(temp: &tempfile::TempDir) -> Location {
        let location = Location::find(temp.path(), &temp.path().join("data"), false).unwrap();
        location.create().unwrap();
        location
    }

    #[test]
    fn second_instance_is_refused_and_told_who_has_it() {
        let temp = tempfile::tempdir().unwrap();
        let location = location(&temp);
        let held = InstanceLock::acquire(&location, &instance("serve")).unwrap();
        let error = InstanceLock::acquire(&location, &instance("mcp")).unwrap_err();
        let Error::Held { holder, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(holder.as_ref().unwrap().role, "serve");
        assert_eq!(running(&location), Some(instance("serve")));
        drop(held);
        assert_eq!(running(&location), None);
        InstanceLock::acquire(&location, &instance("mcp")).unwrap();
    }

    #[test]
    fn description_left_by_a_killed_process_is_not_believed() {
        let temp = tempfile::tempdir().unwrap();
        let location = location(&temp);
        let held = InstanceLock::acquire(&location, &instance("serve")).unwrap();
        let text = fs::read(location.home().join(INSTANCE)).unwrap();
        drop(held);
        fs::write(location.home().join(INSTANCE), text).unwrap();
        assert_eq!(running(&location), None);
    }
}
