//! Writing to the tables: one batch of changes in one transaction, facts and outbox together.
//!
//! Only the writer thread comes here. [`batch`] decides what a change means for what is held
//! already, [`note`] writes what one note says, [`file`](mod@file) holds the rows of `files` and
//! their names, [`outbox`] what followers are told.

pub(crate) mod batch;
pub(crate) mod file;
mod note;
pub(crate) mod outbox;

use rusqlite::{Connection, OptionalExtension as _};

/// Positions that are kept in `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The last position given out in the outbox.
    Seq,
    /// How far listeners have been told.
    Events,
    /// 1 while the index is built for the first time.
    FirstIndex,
}

impl Mark {
    const fn name(self) -> &'static str {
        match self {
            Self::Seq => "seq",
            Self::Events => "events",
            Self::FirstIndex => "first_index",
        }
    }

    /// Reads the mark; 0 when it was never set.
    pub(crate) fn read(self, connection: &Connection) -> rusqlite::Result<i64> {
        let value = connection
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
            .query_row([self.name()], |row| row.get(0))
            .optional()?;
        Ok(value.unwrap_or(0))
    }

    /// Sets the mark.
    pub(crate) fn write(self, connection: &Connection, value: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute((self.name(), value))?;
        Ok(())
    }
}
