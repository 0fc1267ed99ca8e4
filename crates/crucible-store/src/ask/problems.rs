//! What was skipped or found faulty.

use crucible_services::data_store::{Problem, ProblemKind};
use rusqlite::Connection;

/// Returns the problems in path order, at most `limit`.
pub(crate) fn problems(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Problem>> {
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found: Vec<Problem> = connection
        .prepare_cached(
            "SELECT f.path, p.kind, p.message, p.line FROM problems p \
             JOIN files f ON f.id = p.file ORDER BY f.path, p.kind LIMIT ?1",
        )?
        .query_map([wanted], |row| {
            let kind: String = row.get(1)?;
            Ok(Problem {
                path: row.get(0)?,
                // Every kind in the table was written by name from the enum.
                kind: serde_json::from_value(kind.into()).unwrap_or(ProblemKind::Unreadable),
                message: row.get(2)?,
                line: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    found.extend(twins(connection, wanted)?);
    found.sort_by(|a, b| (&a.path, a.kind).cmp(&(&b.path, b.kind)));
    found.truncate(limit);
    Ok(found)
}

/// Returns how many problems there are.
pub(crate) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let count: i64 = connection.query_row(
        "SELECT (SELECT count(*) FROM problems) + (SELECT coalesce(sum(n), 0) FROM \
         (SELECT count(*) AS n FROM files GROUP BY key HAVING count(*) > 1))",
        [],
        |row| row.get(0),
    )?;
    Ok(count.cast_unsigned())
}

fn twins(connection: &Connection, limit: i64) -> rusqlite::Result<Vec<Problem>> {
    let mut statement = connection.prepare_cached(
        "SELECT f.path, (SELECT min(o.path) FROM files o WHERE o.key = f.key AND o.id <> f.id) \
         FROM files f WHERE f.key IN (SELECT key FROM files GROUP BY key HAVING count(*) > 1) \
         ORDER BY f.path LIMIT ?1",
    )?;
    let twins = statement.query_map([limit], |row| {
        let path: String = row.get(0)?;
        let twin: String = row.get(1)?;
        Ok(Problem {
            message: format!(
                "its name differs from {twin:?} only by letter case or Unicode form, so links \
                 cannot tell them apart and other systems cannot hold both; rename one"
            ),
            path,
            kind: ProblemKind::NameTwin,
            line: None,
        })
    })?;
    twins.collect()
}
