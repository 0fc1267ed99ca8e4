//! From the target of a link to the file that it names, and back.
//!
//! Links are stored as they are written and resolved when they are asked for: a link is found by
//! the folded last part of its target, the files that may be meant by the same key, both through
//! an index. So a note that is created, moved or deleted changes no row of any other note.
//!
//! [`rank`] holds the rules, and is pure; this module looks up who may be meant.

pub(crate) mod rank;

use std::collections::HashMap;
use std::rc::Rc;

use crucible_notes::names;
use crucible_services::data_store::LinkKind;
use rusqlite::Connection;

use crate::facts::file::{FileRow, name_key};
use crate::schema::NameKind;
use rank::{Named, Target};

/// The most links that are returned for one note in one direction.
pub(crate) const LINKS_MAX: usize = 10_000;

/// The file that a link names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) file: i64,
    pub(crate) path: String,
    /// Other files have the name too.
    pub(crate) is_ambiguous: bool,
}

/// Resolves links against one snapshot of the tables, remembering whom it has looked up.
#[derive(Debug)]
pub(crate) struct Resolver<'c> {
    connection: &'c Connection,
    files: HashMap<String, Rc<[Named]>>,
    aliases: HashMap<String, Rc<[Named]>>,
}

impl<'c> Resolver<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            files: HashMap::new(),
            aliases: HashMap::new(),
        }
    }

    /// Returns the file that `target`, written in the note at `source`, names.
    ///
    /// An empty target names nothing here: it stands for the note itself.
    pub(crate) fn resolve(
        &mut self,
        source: &str,
        target: &str,
        kind: LinkKind,
    ) -> rusqlite::Result<Option<Resolved>> {
        let Some(target) = Target::read(source, target, kind) else {
            return Ok(None);
        };
        let files = self.named(NameKind::File, name_key(target.written()))?;
        if let Some(found) = rank::choose(&target, &files) {
            return Ok(Some(found));
        }
        if !target.may_be_alias() {
            return Ok(None);
        }
        let aliases = self.named(NameKind::Alias, names::fold(target.written()))?;
        Ok(rank::choose_alias(&target, &aliases))
    }

    fn named(&mut self, kind: NameKind, key: String) -> rusqlite::Result<Rc<[Named]>> {
        let known = match kind {
            NameKind::Alias => &mut self.aliases,
            NameKind::File | NameKind::Title => &mut self.files,
        };
        if let Some(named) = known.get(&key) {
            return Ok(Rc::clone(named));
        }
        let named: Rc<[Named]> = self
            .connection
            .prepare_cached(
                "SELECT f.id, f.path FROM names n JOIN files f ON f.id = n.file \
                 WHERE n.key = ?1 AND n.kind = ?2",
            )?
            .query_map((&key, kind as i64), |row| {
                Ok(Named::new(row.get(0)?, row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        known.insert(key, Rc::clone(&named));
        Ok(named)
    }
}

/// Returns the keys of all links that may name `file`.
pub(crate) fn keys_of(file: &FileRow) -> Vec<String> {
    let mut keys: Vec<String> = std::iter::once(&file.path)
        .chain(&file.aliases)
        .map(|name| name_key(name.trim()))
        .filter(|key| !key.is_empty())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Reads the number under which a kind of link is stored.
pub(crate) fn link_kind(number: i64) -> LinkKind {
    match number {
        1 => LinkKind::Embed,
        2 => LinkKind::Markdown,
        3 => LinkKind::MarkdownEmbed,
        4 => LinkKind::Property,
        _ => LinkKind::Wikilink,
    }
}
