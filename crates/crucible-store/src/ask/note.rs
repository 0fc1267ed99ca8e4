//! One note's facts.

use crucible_services::data_store::{Heading, NoteSummary};
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value};

use super::reference;
use crate::facts::batch::hex;
use crate::facts::file::FileRow;
use crate::readers::Fault;

/// A note without its text.
#[derive(Debug)]
pub(crate) struct NoteParts {
    pub(crate) summary: NoteSummary,
    pub(crate) properties: Map<String, Value>,
    pub(crate) headings: Vec<Heading>,
}

/// Returns the note that `reference` names.
pub(crate) fn note(connection: &Connection, reference: &str) -> Result<NoteParts, Fault> {
    let file = reference::find(connection, reference)?;
    let properties: Option<String> = connection
        .prepare_cached("SELECT properties FROM files WHERE id = ?1")?
        .query_row([file.id], |row| row.get(0))
        .optional()?
        .flatten();
    let headings = connection
        .prepare_cached("SELECT level, text, line FROM headings WHERE file = ?1 ORDER BY ordinal")?
        .query_map([file.id], |row| {
            Ok(Heading {
                level: row.get(0)?,
                text: row.get(1)?,
                line: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(NoteParts {
        properties: properties
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default(),
        headings,
        summary: summary(file),
    })
}

/// Turns a row into what callers get.
pub(super) fn summary(file: FileRow) -> NoteSummary {
    NoteSummary {
        title: file.title.unwrap_or_default(),
        aliases: file.aliases,
        tags: file.tags,
        hash: hex(&file.hash),
        size_bytes: file.stamp.size,
        modified_ms: file.stamp.modified_ns.div_euclid(1_000_000),
        path: file.path,
    }
}
