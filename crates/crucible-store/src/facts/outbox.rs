//! The outbox: what happened, in order, until everyone who follows it has passed.

use crucible_services::events::Cause;
use rusqlite::{Connection, Row};
use serde_json::{Map, Value};

use crate::schema::{OutboxKind, RecordChange};

/// The most rows that are kept for listeners while none is attached; older ones are dropped.
const UNTOLD_ROWS_MAX: i64 = 10_000;
/// The same while listeners are attached, and do not keep up.
const TELLING_ROWS_MAX: i64 = 100_000;

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
    /// What its events follow, when the daemon itself made the change.
    pub(crate) cause: Option<Cause>,
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
            "INSERT INTO outbox (seq, kind, tell, drop_text, path, from_path, record, detail, \
             cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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
            row.cause
                .and_then(|cause| serde_json::to_string(&cause).ok()),
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
            "SELECT seq, kind, path, from_path, record, detail, cause FROM outbox \
             WHERE seq > ?1 AND tell ORDER BY seq LIMIT ?2",
        )?
        .query_map((cursor, super::note::number(limit)), read)?
        .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    let detail: String = row.get(5)?;
    let cause: Option<String> = row.get(6)?;
    Ok(OutboxRow {
        seq: row.get(0)?,
        kind: OutboxKind::from_number(row.get(1)?),
        path: row.get(2)?,
        from_path: row.get(3)?,
        record: RecordChange::from_number(row.get(4)?),
        detail: serde_json::from_str(&detail).unwrap_or_default(),
        cause: cause.and_then(|cause| serde_json::from_str(&cause).ok()),
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
/// However far listeners are behind, at most [`UNTOLD_ROWS_MAX`] rows wait for them, or
/// [`TELLING_ROWS_MAX`] while they are attached.
pub(crate) fn trim(
    connection: &Connection,
    text: i64,
    events: i64,
    is_attached: bool,
) -> rusqlite::Result<()> {
    let rows_max = if is_attached {
        TELLING_ROWS_MAX
    } else {
        UNTOLD_ROWS_MAX
    };
    let too_old: i64 = connection
        .prepare_cached(
            "SELECT coalesce((SELECT seq FROM outbox ORDER BY seq DESC LIMIT 1 OFFSET ?1), 0)",
        )?
        .query_row([rows_max], |row| row.get(0))?;
    let told = events.max(too_old);
    connection
        .prepare_cached(
            "DELETE FROM outbox WHERE seq <= max(?1, ?2) \
             AND (seq <= ?1 OR drop_text IS NULL) AND (seq <= ?2 OR NOT tell)",
        )?
        .execute((text, told))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn facts(rows: i64) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::create(&mut connection).unwrap();
        for seq in 1..=rows {
            let row = OutboxRow {
                seq,
                kind: OutboxKind::Deleted,
                path: "a.md".to_owned(),
                from_path: None,
                record: RecordChange::Deleted,
                detail: Map::new(),
                cause: None,
            };
            push(&connection, &row, true, (seq % 2 == 0).then_some(seq)).unwrap();
        }
        connection
    }

    fn check(rows: i64, text: i64, events: i64, is_attached: bool, kept: &[i64]) {
        let connection = facts(rows);
        trim(&connection, text, events, is_attached).unwrap();
        let mut statement = connection
            .prepare("SELECT seq FROM outbox ORDER BY seq")
            .unwrap();
        let left = statement.query_map([], |row| row.get(0)).unwrap();
        let left: Vec<i64> = left.map(Result::unwrap).collect();
        assert_eq!(left, kept, "text {text}, events {events}");
    }

    #[test]
    fn rows_go_when_everyone_has_passed_them() {
        check(4, 0, 0, true, &[1, 2, 3, 4]);
        check(4, 4, 4, true, &[]);
        check(4, 4, 2, true, &[3, 4]);
        // Only even rows concern the text index.
        check(4, 0, 4, true, &[2, 4]);
    }

    #[test]
    fn rows_that_nobody_hears_are_bounded() {
        let rows = UNTOLD_ROWS_MAX + 5;
        let kept: Vec<i64> = (6..=rows).collect();
        check(rows, rows, 0, false, &kept);
        check(rows, rows, 0, true, &(1..=rows).collect::<Vec<_>>());
    }
}
