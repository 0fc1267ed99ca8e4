//! Finds the note that a person or program means by a path, file name, title or alias.

use crucible_notes::names;
use crucible_services::data_store::Error;
use rusqlite::{Connection, OptionalExtension as _};

use super::near::near;
use crate::facts::file::{COLUMNS, FileRow, name_key};
use crate::readers::Fault;
use crate::schema::{FileKind, NameKind};

/// The most candidates that an ambiguous name is answered with.
const CANDIDATES_MAX: usize = 20;

/// Returns the note that `reference` names.
///
/// A path to the letter comes first, then a path or its end in any spelling (with or without
/// `.md`), then a title, then an alias. The first that any note has decides.
pub(crate) fn find(connection: &Connection, reference: &str) -> Result<FileRow, Fault> {
    let wanted = reference.trim().trim_start_matches('/');
    if let Some(file) = FileRow::at(connection, reference)? {
        return as_note(connection, file);
    }
    if !wanted.is_empty() {
        for meant in [
            by_path(connection, wanted)?,
            by_name(connection, NameKind::Title, wanted)?,
            by_name(connection, NameKind::Alias, wanted)?,
        ] {
            if let Some(file) = the_one(reference, meant)? {
                return as_note(connection, file);
            }
        }
    }
    Err(Fault::Answer(Error::NotFound {
        reference: reference.to_owned(),
        candidates: near(connection, reference)?,
    }))
}

/// Notes whose path, or the end of it, is `wanted`: those at exactly that path if there are any.
fn by_path(connection: &Connection, wanted: &str) -> rusqlite::Result<Vec<FileRow>> {
    let without_md = names::strip_md(wanted);
    let stem = names::fold(without_md);
    let files = named(connection, NameKind::File, &name_key(wanted))?;
    let mut whole = Vec::new();
    let mut ends = Vec::new();
    for file in files {
        let path = names::strip_md(&file.path);
        if path == without_md {
            return Ok(vec![file]);
        }
        let folded = names::fold(path);
        if folded == stem {
            whole.push(file);
        } else if folded
            .strip_suffix(&stem)
            .is_some_and(|before| before.ends_with('/'))
        {
            ends.push(file);
        }
    }
    Ok(if whole.is_empty() { ends } else { whole })
}

fn by_name(
    connection: &Connection,
    kind: NameKind,
    wanted: &str,
) -> rusqlite::Result<Vec<FileRow>> {
    named(connection, kind, &names::fold(wanted))
}

/// Notes of a name, in path order; a skipped file counts when no note has the name.
fn named(connection: &Connection, kind: NameKind, key: &str) -> rusqlite::Result<Vec<FileRow>> {
    let mut files: Vec<FileRow> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM names n JOIN files f ON f.id = n.file \
             WHERE n.key = ?1 AND n.kind = ?2 AND f.kind <> ?3 ORDER BY f.path"
        ))?
        .query_map(
            (key, kind as i64, FileKind::Attachment as i64),
            FileRow::read,
        )?
        .collect::<rusqlite::Result<_>>()?;
    if files.iter().any(FileRow::is_note) {
        files.retain(FileRow::is_note);
    }
    Ok(files)
}

fn the_one(reference: &str, mut meant: Vec<FileRow>) -> Result<Option<FileRow>, Fault> {
    if meant.len() < 2 {
        return Ok(meant.pop());
    }
    let paths = meant.into_iter().map(|file| file.path);
    Err(Fault::Answer(Error::Ambiguous {
        reference: reference.to_owned(),
        candidates: paths.take(CANDIDATES_MAX).collect(),
    }))
}

fn as_note(connection: &Connection, file: FileRow) -> Result<FileRow, Fault> {
    if file.is_note() {
        return Ok(file);
    }
    let why: Option<String> = connection
        .prepare_cached("SELECT message FROM problems WHERE file = ?1")?
        .query_row([file.id], |row| row.get(0))
        .optional()?;
    let message = match why {
        Some(why) => format!("{:?} is not indexed: {why}", file.path),
        None => format!("{:?} is a file, not a note", file.path),
    };
    Err(Fault::Answer(Error::InvalidQuery { message }))
}
