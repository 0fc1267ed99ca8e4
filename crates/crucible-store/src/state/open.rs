//! Makes the state file, or finds out why the one that is there cannot be used.
//!
//! A new file is made under another name and put in place whole, so that an empty or half-written
//! file at its own name is always damage, never a beginning.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::readers::BUSY_TIMEOUT;

/// Marks the file as ours (`PRAGMA application_id`): "CRUS".
const APPLICATION_ID: i64 = 0x4352_5553;
/// The version of the table; a later one is refused, an earlier one must be carried over.
const VERSION: i64 = 1;

const TABLE: &str = "
CREATE TABLE state (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT;
";

/// Why the state file cannot be opened. Messages read after "failed to open the state: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateFileError {
    /// What stands in the file is not what was written.
    #[error(
        "{} is damaged ({reason}). It holds what cannot be made again (tokens, grants, values of \
         scripts, the record of changes), so it is left as it is: put a copy of it in its place, \
         or move it and the files beside it that begin with its name away to begin with nothing",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found, in words.
        reason: String,
    },
    /// A later program wrote it.
    #[error(
        "{} is of version {version}, this program knows version {VERSION} at most; use the program \
         that wrote it, or a later one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// The operating system refused.
    #[error("{} cannot be used ({source}); check its permissions and the free space", path.display())]
    Refused {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Opens the file for writing, creating it when it is missing.
pub(super) fn open(path: &Path) -> Result<Connection, StateFileError> {
    let refused = |source| StateFileError::Refused {
        path: path.to_owned(),
        source,
    };
    if !path.try_exists().map_err(refused)? {
        if beside(path, "-wal").try_exists().map_err(refused)? {
            return Err(StateFileError::Damaged {
                path: path.to_owned(),
                reason: "it is missing, but its log of changes is there".to_owned(),
            });
        }
        create(path)?;
    }
    keep_private(path).map_err(refused)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            check(path, &connection).map(|fault| (connection, fault))
        })
        .map_err(|error| from_sqlite(path, &error))?;
    match connection {
        (connection, None) => Ok(connection),
        (_, Some(fault)) => Err(fault),
    }
}

/// Opens the file for reading, after [`open`].
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StateFileError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| from_sqlite(path, &error))
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -2 * 1024)?;
    Ok(connection)
}

fn check(path: &Path, connection: &Connection) -> rusqlite::Result<Option<StateFileError>> {
    let damaged = |reason: String| {
        Ok(Some(StateFileError::Damaged {
            path: path.to_owned(),
            reason,
        }))
    };
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    if number("application_id")? != APPLICATION_ID {
        return damaged("it is not a state file of crucible".to_owned());
    }
    let version = number("user_version")?;
    if version > VERSION {
        return Ok(Some(StateFileError::Newer {
            path: path.to_owned(),
            version,
        }));
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return damaged(format!("its check says: {found}"));
    }
    connection.prepare("SELECT namespace, key, value FROM state")?;
    Ok(None)
}

/// Makes a file with an empty table and puts it in place, unless somebody else just did.
fn create(path: &Path) -> Result<(), StateFileError> {
    let refused = |source| StateFileError::Refused {
        path: path.to_owned(),
        source,
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(refused)?;
    let new = tempfile_beside(path);
    let made = private_file(&new)
        .map_err(refused)
        .and_then(|()| write_table(&new).map_err(|error| from_sqlite(&new, &error)))
        .and_then(|()| put_in_place(&new, path, folder).map_err(refused));
    // What is left of a failed creation is worth nothing to anybody.
    let _gone = std::fs::remove_file(&new);
    made
}

fn write_table(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLE)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_connection, error)| error)
}

fn put_in_place(new: &Path, path: &Path, folder: &Path) -> io::Result<()> {
    File::open(new)?.sync_all()?;
    match std::fs::hard_link(new, path) {
        // Another process was first: its file is the one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(_no_links_here) => std::fs::rename(new, path)?,
        Ok(()) => {}
    }
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn tempfile_beside(path: &Path) -> PathBuf {
    beside(path, &format!(".new-{}", std::process::id()))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Creates an empty file that only its owner may read and write.
fn private_file(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}

/// Takes from everybody but the owner what they may do with the file; SQLite gives the files
/// beside it the same permissions.
fn keep_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700))?;
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn from_sqlite(path: &Path, error: &rusqlite::Error) -> StateFileError {
    let is_about_the_system = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::SystemIoFailure
        )
    );
    let path = path.to_owned();
    if is_about_the_system {
        let source = io::Error::other(error.to_string());
        StateFileError::Refused { path, source }
    } else {
        let reason = error.to_string();
        StateFileError::Damaged { path, reason }
    }
}
