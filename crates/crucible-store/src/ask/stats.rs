//! How much the tables hold.

use rusqlite::Connection;

use super::problems;
use crate::facts::Mark;
use crate::links::{Resolver, link_kind};
use crate::schema::FileKind;

/// The counts of one snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// The outbox position that they belong to.
    pub(crate) seq: i64,
    pub(crate) notes: u64,
    pub(crate) blocks: u64,
    pub(crate) links: u64,
    pub(crate) links_unresolved: u64,
    pub(crate) tags: u64,
    pub(crate) problems: u64,
}

/// Counts, unless `known` is of the same state.
pub(crate) fn counts(connection: &Connection, known: Option<Counts>) -> rusqlite::Result<Counts> {
    let seq = Mark::Seq.read(connection)?;
    if let Some(known) = known
        && known.seq == seq
    {
        return Ok(known);
    }
    let count = |sql: &str| -> rusqlite::Result<u64> {
        connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
    };
    let note = FileKind::Note as i64;
    Ok(Counts {
        seq,
        notes: count(&format!("SELECT count(*) FROM files WHERE kind = {note}"))?,
        blocks: count("SELECT count(*) FROM blocks")?,
        links: count("SELECT count(*) FROM links WHERE target <> ''")?,
        links_unresolved: links_unresolved(connection)?,
        tags: count("SELECT count(DISTINCT key) FROM tags")?,
        problems: problems::count(connection)?,
    })
}

fn links_unresolved(connection: &Connection) -> rusqlite::Result<u64> {
    let mut resolver = Resolver::new(connection);
    let mut statement = connection.prepare_cached(
        "SELECT f.path, l.target, l.kind FROM links l JOIN files f ON f.id = l.source \
         WHERE l.target <> ''",
    )?;
    let mut rows = statement.query([])?;
    let mut unresolved = 0;
    while let Some(row) = rows.next()? {
        let source = row.get_ref(0)?.as_str().unwrap_or_default();
        let target = row.get_ref(1)?.as_str().unwrap_or_default();
        let kind = link_kind(row.get(2)?);
        unresolved += u64::from(resolver.resolve(source, target, kind)?.is_none());
    }
    Ok(unresolved)
}

/// Returns how many notes the text index at `cursor` has not taken over.
pub(crate) fn behind(connection: &Connection, cursor: i64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM files WHERE kind = ?1 AND seq > ?2")?
        .query_row((FileKind::Note as i64, cursor), |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })
}
