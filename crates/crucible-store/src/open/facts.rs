//! Opens the facts file, or finds out why it cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::OpenError;
use super::aside::{move_aside, remove};
use super::seal;
use crate::config::StoreConfig;
use crate::readers::{BUSY_TIMEOUT, open_for_reading};
use crate::schema;

/// How many prepared statements the writer keeps.
const STATEMENTS_MAX: usize = 64;
/// How large the log of changes may become before it is worked into the file, in pages of 8 kB.
const CHECKPOINT_PAGES: i64 = 4_000;

/// Opens the facts for writing; damaged ones are moved aside, with a sentence in `findings`.
///
/// New facts take the old text index with them: its notes are numbered by the old ones.
/// Also says whether every page has been looked through, or the seal was trusted.
pub(super) fn open(
    config: &StoreConfig,
    findings: &mut Vec<String>,
) -> Result<(Connection, Checked), OpenError> {
    let path = config.facts_path();
    let is_there = path.exists();
    let depth = if seal::take(config) {
        Checked::Head
    } else {
        Checked::Whole
    };
    let reason = match std::fs::read_to_string(config.doubt_path()) {
        Ok(_) if is_there => Some("it was found damaged while in use".to_owned()),
        _ => None,
    };
    let reason = match reason {
        None if is_there => match try_open(&path, depth)? {
            Found::Usable(connection) => return Ok((connection, depth)),
            // The text index comes after the facts: without it, a crash ended the creation.
            Found::Empty if !config.text_dir().exists() => None,
            Found::Empty => Some("it is empty".to_owned()),
            Found::Faulty(reason) => Some(reason),
        },
        reason => reason,
    };
    let refused = |source| OpenError::Refused {
        path: path.clone(),
        source,
    };
    // In this order: a crash in between finds no facts again, and comes back here.
    remove(&config.text_dir()).map_err(refused)?;
    if let Some(reason) = reason {
        let aside = move_aside(&path).map_err(refused)?.unwrap_or_default();
        findings.push(format!(
            "The facts file could not be used ({reason}); it was moved to {} and the index is \
             being built anew from the notes.",
            aside.display()
        ));
    }
    for leftover in std::iter::once(path.clone()).chain(companions(&path)) {
        remove(&leftover).map_err(refused)?;
    }
    remove(&config.doubt_path()).map_err(refused)?;
    let failed =
        |error| OpenError::Failed(format!("{} cannot be created ({error})", path.display()));
    let mut connection = Connection::open(&path).map_err(failed)?;
    schema::create(&mut connection).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    Ok((connection, Checked::Whole))
}

/// How much of a facts file is looked at before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// What sort of file it is, and of which version.
    Head,
    /// Every page.
    Whole,
}

/// The log and its index, which belong to the file of the same name only.
fn companions(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// What stands in an existing file.
enum Found {
    Usable(Connection),
    /// A database without a single table.
    Empty,
    /// The reason why it must be replaced.
    Faulty(String),
}

/// Opens an existing file.
fn try_open(path: &Path, depth: Checked) -> Result<Found, OpenError> {
    let opened = Connection::open(path).and_then(|connection| {
        prepare(&connection)?;
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            return Ok(Found::Empty);
        }
        Ok(match fault(&connection, depth)? {
            None => Found::Usable(connection),
            Some(reason) => Found::Faulty(reason),
        })
    });
    match opened {
        Ok(found) => Ok(found),
        Err(error) if is_about_the_system(&error) => Err(OpenError::Failed(format!(
            "{} cannot be opened ({error}); check its permissions and the disk",
            path.display()
        ))),
        Err(error) => Ok(Found::Faulty(error.to_string())),
    }
}

/// Says whether an error tells of the system rather than of the file's content.
fn is_about_the_system(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
        )
    )
}

/// Sets a write connection up.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Derived data: a power cut may cost the last transactions, never the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Looks for a reason not to use the file.
fn fault(connection: &Connection, depth: Checked) -> rusqlite::Result<Option<String>> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, pragma, |row| row.get(0))
    };
    if number("application_id")? != schema::APPLICATION_ID {
        return Ok(Some("it is not a facts file of crucible".to_owned()));
    }
    let version = number("user_version")?;
    if version != schema::VERSION {
        return Ok(Some(format!(
            "it is of version {version}, this program writes version {}",
            schema::VERSION
        )));
    }
    match depth {
        Checked::Head => Ok(None),
        Checked::Whole => fault_in_pages(connection),
    }
}

/// Looks every page through for a reason not to use the file; takes longer the larger it is.
pub(crate) fn fault_in_pages(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((check != "ok").then(|| format!("its check says: {check}")))
}

/// Opens the facts of another process for reading. Blocks.
pub(crate) fn open_read_only(config: &StoreConfig) -> Result<(), OpenError> {
    let path = config.facts_path();
    let index_dir = config.index_dir.clone();
    if !path.exists() {
        return Err(OpenError::Absent { index_dir });
    }
    let fault = open_for_reading(&path).and_then(|connection| fault(&connection, Checked::Whole));
    match fault {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(OpenError::Damaged { index_dir, reason }),
        Err(error) => Err(OpenError::Damaged {
            index_dir,
            reason: error.to_string(),
        }),
    }
}
