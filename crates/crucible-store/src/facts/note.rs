//! What one note says, as rows.

use crucible_notes::{Link, LinkKind, names};
use crucible_services::data_store::Problem;
use rusqlite::Connection;

use super::file::{FileRow, name_key};
use crate::prepare::ParsedNote;

/// The tables whose rows belong to one file, with the column that says so.
const OWNED: [&str; 6] = [
    "DELETE FROM links WHERE source = ?1",
    "DELETE FROM headings WHERE file = ?1",
    "DELETE FROM blocks WHERE file = ?1",
    "DELETE FROM block_ids WHERE file = ?1",
    "DELETE FROM tasks WHERE file = ?1",
    "DELETE FROM problems WHERE file = ?1",
];

/// Takes away all that `file` said; its own row and its names stay.
pub(super) fn clear(connection: &Connection, file: &FileRow) -> rusqlite::Result<()> {
    for statement in OWNED {
        connection.prepare_cached(statement)?.execute([file.id])?;
    }
    let mut delete = connection.prepare_cached("DELETE FROM tags WHERE key = ?1 AND file = ?2")?;
    for tag in &file.tags {
        delete.execute((names::fold(tag), file.id))?;
    }
    Ok(())
}

/// Writes all that a note says under the number of its file.
pub(super) fn insert(connection: &Connection, id: i64, note: &ParsedNote) -> rusqlite::Result<()> {
    insert_tags(connection, id, &note.tags)?;
    insert_links(connection, id, note)?;
    insert_headings(connection, id, note)?;
    insert_blocks(connection, id, note)?;
    insert_tasks(connection, id, note)?;
    for problem in &note.problems {
        insert_problem(connection, id, problem)?;
    }
    Ok(())
}

/// Writes a fault of a file.
pub(super) fn insert_problem(
    connection: &Connection,
    id: i64,
    problem: &Problem,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO problems (file, kind, message, line) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            id,
            problem_kind_name(problem),
            &problem.message,
            problem.line.map(u64::cast_signed),
        ))?;
    Ok(())
}

/// The name of a problem's kind in JSON, which is also how the table names it.
pub(crate) fn problem_kind_name(problem: &Problem) -> String {
    match serde_json::to_value(problem.kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn insert_tags(connection: &Connection, id: i64, tags: &[String]) -> rusqlite::Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO tags (key, file) VALUES (?1, ?2)")?;
    for tag in tags {
        insert.execute((names::fold(tag), id))?;
    }
    Ok(())
}

fn insert_links(connection: &Connection, id: i64, note: &ParsedNote) -> rusqlite::Result<()> {
    if note.facts.links.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO links (source, ordinal, key, target, kind, heading, block, alias, line, \
         context) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (ordinal, (link, context)) in note.facts.links.iter().zip(&note.contexts).enumerate() {
        insert.execute((
            id,
            number(ordinal),
            name_key(&link.target),
            &link.target,
            link_kind_number(link.kind),
            heading_part(link),
            &link.block,
            &link.alias,
            link.line.cast_signed(),
            context,
        ))?;
    }
    Ok(())
}

fn heading_part(link: &Link) -> Option<String> {
    match link.headings.as_slice() {
        [] => None,
        headings => Some(headings.join("#")),
    }
}

fn insert_headings(connection: &Connection, id: i64, note: &ParsedNote) -> rusqlite::Result<()> {
    if note.facts.headings.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO headings (file, ordinal, level, text, line, start, length) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (ordinal, heading) in note.facts.headings.iter().enumerate() {
        insert.execute((
            id,
            number(ordinal),
            heading.level,
            &heading.text,
            heading.line.cast_signed(),
            number(heading.span.start),
            number(heading.span.len()),
        ))?;
    }
    Ok(())
}

fn insert_blocks(connection: &Connection, id: i64, note: &ParsedNote) -> rusqlite::Result<()> {
    if note.facts.blocks.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO blocks (file, ordinal, start, length, line, heading) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (ordinal, block) in note.facts.blocks.iter().enumerate() {
        insert.execute((
            id,
            number(ordinal),
            number(block.span.start),
            number(block.span.len()),
            block.line.cast_signed(),
            block.heading.map(number),
        ))?;
        for block_id in &block.ids {
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO block_ids (file, id, start, length) \
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((
                    id,
                    &block_id.id,
                    number(block_id.span.start),
                    number(block_id.span.len()),
                ))?;
        }
    }
    Ok(())
}

fn insert_tasks(connection: &Connection, id: i64, note: &ParsedNote) -> rusqlite::Result<()> {
    if note.facts.tasks.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO tasks (file, ordinal, status, text, line) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (ordinal, task) in note.facts.tasks.iter().enumerate() {
        insert.execute((
            id,
            number(ordinal),
            task.status.to_string(),
            &task.text,
            task.line.cast_signed(),
        ))?;
    }
    Ok(())
}

fn link_kind_number(kind: LinkKind) -> i64 {
    match kind {
        LinkKind::Wikilink => 0,
        LinkKind::Embed => 1,
        LinkKind::Markdown => 2,
        LinkKind::MarkdownEmbed => 3,
        LinkKind::Property => 4,
    }
}

/// A count or offset as SQLite holds it.
pub(super) fn number(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
