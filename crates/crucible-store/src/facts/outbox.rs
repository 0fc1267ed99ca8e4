//! The outbox: what happened, in order, until everyone who follows it has passed.

use rusqlite::{Connection, Row};
use serde_json::{Map, Value};

use crate::schema::{OutboxKind, RecordChange};

/// The most rows that are kept for listeners while none is attached; older ones are dropped.
pub(crate) const UNTOLD_ROWS_MAX: i64 = 10_000;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct OutboxRow {
    pub(crate) seq: i64,
    pub(crate) kind: OutboxKind,
    pub(crate) path: String,
    pub(crate) from_path: Option<String>,
    pub(crate) record: RecordChange,
    /// The payload of its events.
    pub(crate) detail: Map<String, Value>,
}

/// Appends a row.
pub(super) fn push(
    connection: &Connection,
    row: &OutboxRow,
    tell: bool,
    drop_text: Option<i64>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (seq, kind, tell, drop_text, path, from_path, record, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            row.seq,
            row.kind as i64,
            tell,
            drop_text,
            &row.path,
            &row.from_path,
            row.record as i64,
            serde_json::to_string(&row.detail).unwrap_or_default(),
        ))?;
    Ok(())
}

/// Returns at most `limit` rows after `cursor` that listeners are told, in order.
pub(crate) fn to_tell(
    connection: &Connection,
    cursor: i64,
    limit: usize,
) -> rusqlite::Result<Vec<OutboxRow>> {
    connection
        .prepare_cached(
            "SELECT seq, kind, path, from_path, record, detail FROM outbox \
             WHERE seq > ?1 AND tell ORDER BY seq LIMIT ?2",
        )?
        .query_map((cursor, super::note::number(limit)), read)?
        .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    let detail: String = row.get(5)?;
    Ok(OutboxRow {
        seq: row.get(0)?,
        kind: OutboxKind::from_number(row.get(1)?),
        path: row.get(2)?,
        from_path: row.get(3)?,
        record: RecordChange::from_number(row.get(4)?),
        detail: serde_json::from_str(&detail).unwrap_or_default(),
    })
}

/// Returns the numbers of the notes that left the text index after `cursor`.
pub(crate) fn texts_to_drop(connection: &Connection, cursor: i64) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT drop_text FROM outbox WHERE seq > ?1 AND drop_text IS NOT NULL ORDER BY seq",
        )?
        .query_map([cursor], |row| row.get(0))?
        .collect()
}

/// Deletes what everyone has passed: the text index is at `text`, listeners at `events`.
///
/// While no listener is attached, at most [`UNTOLD_ROWS_MAX`] rows wait for one.
pub(crate) fn trim(
    connection: &Connection,
    text: i64,
    events: i64,
    is_attached: bool,
) -> rusqlite::Result<()> {
    let mut told = events;
    if !is_attached {
        let oldest_kept: i64 = connection
            .prepare_cached(
                "SELECT coalesce((SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1 OFFSET ?1), 0)",
            )?
            .query_row([UNTOLD_ROWS_MAX], |row| row.get(0))?;
        told = told.max(oldest_kept);
    }
    connection
        .prepare_cached(
            "DELETE FROM outbox WHERE seq <= max(?1, ?2) \
             AND (seq <= ?1 OR drop_text IS NULL) AND (seq <= ?2 OR NOT tell)",
        )?
        .execute((text, told))?;
    Ok(())
}
