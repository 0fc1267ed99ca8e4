//! The links of one note, both ways.

use crucible_services::data_store::{Backlink, NoteLinks, OutgoingLink};
use rusqlite::Connection;

use super::reference;
use crate::facts::file::FileRow;
use crate::links::{LINKS_MAX, Resolver, keys_of, link_kind};
use crate::readers::Fault;

/// Returns the links from and to the note that `reference` names.
pub(crate) fn links(connection: &Connection, reference: &str) -> Result<NoteLinks, Fault> {
    let note = reference::find(connection, reference)?;
    let mut resolver = Resolver::new(connection);
    Ok(NoteLinks {
        outgoing: outgoing(connection, &mut resolver, &note)?,
        backlinks: backlinks(connection, &mut resolver, &note)?,
        title: note.title.unwrap_or_default(),
        path: note.path,
    })
}

fn outgoing(
    connection: &Connection,
    resolver: &mut Resolver<'_>,
    note: &FileRow,
) -> rusqlite::Result<Vec<OutgoingLink>> {
    let mut statement = connection.prepare_cached(
        "SELECT target, kind, heading, block, alias, line FROM links \
         WHERE source = ?1 ORDER BY ordinal LIMIT ?2",
    )?;
    let mut rows = statement.query((note.id, LINKS_MAX.cast_signed() as i64))?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        let target: String = row.get(0)?;
        let kind = link_kind(row.get(1)?);
        let resolved = resolver.resolve(&note.path, &target, kind)?;
        let (resolved, ambiguous) = match resolved {
            _ if target.is_empty() => (Some(note.path.clone()), false),
            Some(resolved) => (Some(resolved.path), resolved.is_ambiguous),
            None => (None, false),
        };
        links.push(OutgoingLink {
            target,
            resolved,
            ambiguous,
            heading: row.get(2)?,
            block: row.get(3)?,
            alias: row.get(4)?,
            kind,
            line: row.get::<_, i64>(5)?.cast_unsigned(),
        });
    }
    Ok(links)
}

fn backlinks(
    connection: &Connection,
    resolver: &mut Resolver<'_>,
    note: &FileRow,
) -> rusqlite::Result<Vec<Backlink>> {
    let mut links = Vec::new();
    for key in keys_of(note) {
        let mut statement = connection.prepare_cached(
            "SELECT l.target, l.kind, l.line, l.context, f.path, f.title \
             FROM links l JOIN files f ON f.id = l.source \
             WHERE l.key = ?1 AND l.source <> ?2",
        )?;
        let mut rows = statement.query((key, note.id))?;
        while let Some(row) = rows.next()? {
            let target: String = row.get(0)?;
            let kind = link_kind(row.get(1)?);
            let path: String = row.get(4)?;
            let resolved = resolver.resolve(&path, &target, kind)?;
            if resolved.is_none_or(|resolved| resolved.file != note.id) {
                continue;
            }
            links.push(Backlink {
                path,
                title: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
                line: row.get::<_, i64>(2)?.cast_unsigned(),
                context: row.get(3)?,
                kind,
            });
        }
    }
    links.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    links.truncate(LINKS_MAX);
    Ok(links)
}
