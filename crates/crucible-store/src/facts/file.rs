//! The rows of `files`, and the names under which a file is looked up.

use std::collections::BTreeSet;

use crucible_notes::names;
use crucible_services::note_index::FileStamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::schema::{FileKind, NameKind};

/// What the tables hold of one file.
#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    pub(crate) id: i64,
    pub(crate) path: String,
    pub(crate) kind: FileKind,
    pub(crate) stamp: FileStamp,
    pub(crate) hash: Vec<u8>,
    pub(crate) title: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) tags: Vec<String>,
}

/// The columns that [`FileRow::read`] reads, in its order.
pub(crate) const COLUMNS: &str =
    "f.id, f.path, f.kind, f.size, f.modified_ns, f.inode, f.hash, f.title, f.aliases, f.tags";

impl FileRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            path: row.get(1)?,
            kind: FileKind::from_number(row.get(2)?),
            stamp: FileStamp {
                size: row.get::<_, i64>(3)?.cast_unsigned(),
                modified_ns: row.get(4)?,
                inode: row.get::<_, i64>(5)?.cast_unsigned(),
            },
            hash: row.get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default(),
            title: row.get(7)?,
            aliases: list(row.get(8)?),
            tags: list(row.get(9)?),
        })
    }

    /// Returns the file at exactly `path`.
    pub(crate) fn at(connection: &Connection, path: &str) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM files f WHERE path = ?1"))?
            .query_row([path], Self::read)
            .optional()
    }

    /// Returns the file of a number.
    pub(crate) fn numbered(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM files f WHERE id = ?1"))?
            .query_row([id], Self::read)
            .optional()
    }

    /// Returns all names under which the file is looked up.
    pub(crate) fn names(&self) -> BTreeSet<(NameKind, String)> {
        let title = self.title.iter();
        let aliases = self.aliases.iter();
        std::iter::once((NameKind::File, name_key(&self.path)))
            .chain(title.map(|title| (NameKind::Title, names::fold(title.trim()))))
            .chain(aliases.map(|alias| (NameKind::Alias, names::fold(alias.trim()))))
            .filter(|(_, key)| !key.is_empty())
            .collect()
    }

    /// Says whether the file is a note with facts.
    pub(crate) fn is_note(&self) -> bool {
        self.kind == FileKind::Note
    }
}

/// Returns the key of a path's or link target's last part: folded, without `.md`.
pub(crate) fn name_key(path: &str) -> String {
    names::fold(names::strip_md(names::base_name(path)))
}

/// Reads a JSON list of texts; nothing for `None`.
pub(crate) fn list(json: Option<String>) -> Vec<String> {
    json.and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}

/// Writes a JSON list of texts; `None` for nothing.
pub(super) fn json_list(list: &[String]) -> Option<String> {
    match list {
        [] => None,
        list => serde_json::to_string(list).ok(),
    }
}

/// Enters the names of `file`.
pub(super) fn insert_names(connection: &Connection, file: &FileRow) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO names (key, kind, file) VALUES (?1, ?2, ?3)")?;
    for (kind, key) in file.names() {
        insert.execute((key, kind as i64, file.id))?;
    }
    Ok(())
}

/// Strikes the names of `file`.
pub(super) fn delete_names(connection: &Connection, file: &FileRow) -> rusqlite::Result<()> {
    let mut delete = connection
        .prepare_cached("DELETE FROM names WHERE key = ?1 AND kind = ?2 AND file = ?3")?;
    for (kind, key) in file.names() {
        delete.execute((key, kind as i64, file.id))?;
    }
    Ok(())
}
