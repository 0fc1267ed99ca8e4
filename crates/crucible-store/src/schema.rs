//! The tables of the facts file.
//!
//! One row of `files` stands for one file of the vault. What a note says hangs from it by the
//! file's number, clustered so that a note's facts are written and read in one run of pages. The
//! tables that are looked up by a name (`names`, `tags`) are keyed by the folded name and have no
//! second index: what a file put there is recomputed from its row when it goes.
//!
//! All of it is derived from the notes. There are no migrations: a file of another version is
//! moved aside and built anew.

use rusqlite::Connection;

/// The version of the tables; raised with every change to them or to what notes are parsed into.
pub(crate) const VERSION: i64 = 2;
/// Marks the file as ours (`PRAGMA application_id`): "CRUC".
pub(crate) const APPLICATION_ID: i64 = 0x4352_5543;

const TABLES: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,              -- the folded path
    kind INTEGER NOT NULL,          -- FileKind
    size INTEGER NOT NULL,          -- the stamp
    modified_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    seq INTEGER NOT NULL,           -- position of its last change in the outbox
    hash BLOB,                      -- notes only, from here on; empty when in doubt
    title TEXT,
    aliases TEXT,                   -- JSON list; NULL for none
    tags TEXT,                      -- JSON list, sorted; NULL for none
    properties TEXT                 -- JSON object; NULL for none
) STRICT;
CREATE INDEX files_by_key ON files (key);

CREATE TABLE names (
    key TEXT NOT NULL,              -- folded
    kind INTEGER NOT NULL,          -- NameKind
    file INTEGER NOT NULL,
    PRIMARY KEY (key, kind, file)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    key TEXT NOT NULL,              -- folded
    file INTEGER NOT NULL,
    PRIMARY KEY (key, file)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    source INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    key TEXT NOT NULL,              -- folded last part of the target, without .md
    target TEXT NOT NULL,           -- as written
    kind INTEGER NOT NULL,
    heading TEXT,
    block TEXT,
    alias TEXT,
    line INTEGER NOT NULL,
    context TEXT NOT NULL,
    PRIMARY KEY (source, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_key ON links (key);

CREATE TABLE headings (
    file INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    level INTEGER NOT NULL,
    text TEXT NOT NULL,
    line INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (file, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    file INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    line INTEGER NOT NULL,
    heading INTEGER,                -- ordinal of the heading it stands under
    PRIMARY KEY (file, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE block_ids (
    file INTEGER NOT NULL,
    id TEXT NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (file, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    file INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    status TEXT NOT NULL,
    text TEXT NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (file, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE problems (
    file INTEGER NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    line INTEGER,
    PRIMARY KEY (file, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,          -- OutboxKind
    tell INTEGER NOT NULL,          -- whether listeners are told
    drop_text INTEGER,              -- number of the note that left the text index
    path TEXT NOT NULL,
    from_path TEXT,
    record INTEGER NOT NULL,        -- RecordChange
    detail TEXT NOT NULL,           -- JSON, the payload of the events
    cause TEXT                      -- JSON, the event that the change follows; NULL for none
) STRICT;
";

/// Writes the tables into an empty file, in one transaction.
pub(crate) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    // Takes effect only before the first table is written.
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// What sort of file a row of `files` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Note = 0,
    Attachment = 1,
    Skipped = 2,
}

impl FileKind {
    pub(crate) fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Note,
            1 => Self::Attachment,
            _ => Self::Skipped,
        }
    }
}

/// What sort of name a row of `names` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameKind {
    /// The file's name; of a note, without its extension.
    File = 0,
    /// A note's title.
    Title = 1,
    /// A note's alias.
    Alias = 2,
}

/// What happened to a file, for those who follow the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutboxKind {
    Created = 0,
    Modified = 1,
    Deleted = 2,
    Moved = 3,
    /// The first build of the index has ended.
    Built = 4,
}

impl OutboxKind {
    pub(crate) fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Created,
            1 => Self::Modified,
            2 => Self::Deleted,
            3 => Self::Moved,
            _ => Self::Built,
        }
    }
}

/// What happened to the note's record because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordChange {
    None = 0,
    Created = 1,
    Updated = 2,
    Deleted = 3,
    /// Deleted under the old path and created under the new one.
    Moved = 4,
}

impl RecordChange {
    pub(crate) fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Created,
            2 => Self::Updated,
            3 => Self::Deleted,
            4 => Self::Moved,
            _ => Self::None,
        }
    }
}
