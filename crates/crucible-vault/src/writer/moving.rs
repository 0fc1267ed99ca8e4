//! What moving a note comes to: the file, and the links that would break.

use std::collections::{BTreeMap, HashMap, HashSet};

use crucible_notes::{LinkKind, Relocation, names, rewrite_links};
use crucible_services::data_store::{self, DataStore, ListRequest, NoteLinks};
use crucible_services::note_writer::{Author, ChangeAction, Error, MoveNote};

use super::carry_out::{Planned, conflict};
use super::config::WriterConfig;
use super::plan::{check_free, entry, read_seen};
use super::record::{Step, hash_of};
use super::{fault, path};
use crate::folder::VaultFolder;

/// What the store knows of the links that a move concerns.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// For each note that links, the hash of the content that the store knows, and its links.
    sources: BTreeMap<String, Source>,
    /// How many notes have a name, by its folded form without `.md`, without the note that moves.
    names: HashMap<String, usize>,
}

/// One note and the files that its links mean.
#[derive(Debug)]
struct Source {
    hash: String,
    /// By kind and target as written.
    links: HashMap<(LinkKind, String), String>,
}

/// Asks the store for what [`plan`] needs.
pub(super) async fn ask(
    store: &dyn DataStore,
    config: &WriterConfig,
    from: &str,
) -> Result<Known, Error> {
    let mut known = Known::default();
    let links = store.links(from).await.map_err(of_store)?;
    let mut sources: Vec<String> = links
        .backlinks
        .iter()
        .map(|link| link.path.clone())
        .collect();
    sources.push(from.to_owned());
    sources.sort_unstable();
    sources.dedup();
    if sources.len() > config.relinked_max {
        return Err(Error::Internal {
            message: format!(
                "{} notes link to it, and at most {} are rewritten; move it without updating links",
                sources.len(),
                config.relinked_max
            ),
        });
    }
    for path in sources {
        let links = store.links(&path).await.map_err(of_store)?;
        let hash = store.note(&path).await.map_err(of_store)?.summary.hash;
        known.sources.insert(path, Source::new(hash, links));
    }
    let mut request = ListRequest {
        limit: ListRequest::LIMIT_MAX,
        ..ListRequest::default()
    };
    loop {
        let page = store.list_notes(request.clone()).await.map_err(of_store)?;
        for note in page.notes.iter().filter(|note| note.path != from) {
            *known.names.entry(name_key(&note.path)).or_default() += 1;
        }
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(known),
        }
    }
}

impl Source {
    fn new(hash: String, links: NoteLinks) -> Self {
        let links = links
            .outgoing
            .into_iter()
            .filter_map(|link| Some(((kind_of(link.kind), link.target), link.resolved?)))
            .collect();
        Self { hash, links }
    }
}

fn name_key(path: &str) -> String {
    names::fold(names::strip_md(names::base_name(path)))
}

fn kind_of(kind: data_store::LinkKind) -> LinkKind {
    match kind {
        data_store::LinkKind::Wikilink => LinkKind::Wikilink,
        data_store::LinkKind::Embed => LinkKind::Embed,
        data_store::LinkKind::Markdown => LinkKind::Markdown,
        data_store::LinkKind::MarkdownEmbed => LinkKind::MarkdownEmbed,
        data_store::LinkKind::Property => LinkKind::Property,
    }
}

fn of_store(error: data_store::Error) -> Error {
    match error {
        data_store::Error::NotFound { reference, .. } => Error::NotFound { path: reference },
        other => Error::Internal {
            message: format!("the links cannot be looked up: {other}; nothing was changed"),
        },
    }
}

/// Plans a move; `known` is there when links are to be updated.
pub(super) fn plan(
    folder: &VaultFolder,
    request: &MoveNote,
    known: Option<&Known>,
    by: &Author,
) -> Result<Planned, Error> {
    let from = path::existing(folder, &request.from)?;
    let to = path::new(folder, &request.to)?;
    if from == to {
        return Err(path::invalid(&to, "the note is there already".to_owned()));
    }
    check_free(folder, &to, Some(&from))?;
    let current = read_seen(folder, &from, &request.seen)?;
    let before = hash_of(&current.bytes);
    if let Some(source) = known.and_then(|known| known.sources.get(&from))
        && source.hash != before
    {
        // The store does not know these links yet.
        return Err(conflict(&from, Some(&source.hash), Some(&current)));
    }
    let mut entry = entry(ChangeAction::Move, &to, by);
    entry.change.from = Some(from.clone());
    entry.change.before = Some(before.clone());
    let moving = Moving {
        from: &from,
        to: &to,
        known,
    };
    let own = moving.relinked(&from, &current.bytes)?;
    let after = own.as_ref().map_or(&before, |(_, hash)| hash).clone();
    entry.change.after = Some(after.clone());
    entry.steps.push(Step {
        path: to.clone(),
        before: None,
        after: Some(after),
        mode: Some(current.mode),
        moved_from: own.is_none().then(|| from.clone()),
    });
    entry.steps.push(Step {
        path: from.clone(),
        before: Some(before),
        after: None,
        mode: Some(current.mode),
        moved_from: None,
    });
    let mut planned = Planned {
        entry,
        contents: vec![own.map(|(text, _)| text.into()), None],
        former: vec![current.bytes],
    };
    let sources = known
        .map(|known| known.sources.iter())
        .into_iter()
        .flatten();
    for (path, source) in sources.filter(|(path, _)| **path != from) {
        let current = read_seen(folder, path, &source.hash)?;
        if let Some((text, _)) = moving.relinked(path, &current.bytes)? {
            planned.entry.change.also.push(path.clone());
            planned.replace(path.clone(), current, text.into());
        }
    }
    Ok(planned)
}

struct Moving<'a> {
    from: &'a str,
    to: &'a str,
    known: Option<&'a Known>,
}

impl Moving<'_> {
    /// Returns a note's text with the links that would break rewritten, and its hash; `None` when
    /// none would.
    fn relinked(&self, path: &str, bytes: &[u8]) -> Result<Option<(String, String)>, Error> {
        let Some(source) = self.known.and_then(|known| known.sources.get(path)) else {
            return Ok(None);
        };
        if !source.links.values().any(|file| file == self.from) && path != self.from {
            return Ok(None);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(fault::of_system(
                path,
                &std::io::Error::other(
                    "it is not UTF-8 text, so that its links cannot be rewritten; convert it, or \
                     move without updating links",
                ),
            ));
        };
        let relinked = rewrite_links(text, |kind, target| {
            let file = source.links.get(&(kind, target.to_owned())).or_else(|| {
                // One definition serves links and images.
                source
                    .links
                    .get(&(LinkKind::MarkdownEmbed, target.to_owned()))
            })?;
            self.relocation(path, file)
                .target(kind, target, |name| self.is_unique(name, file))
        });
        if relinked.left > 0 {
            tracing::warn!(links = relinked.left, "some links could not be rewritten");
        }
        let hash = hash_of(relinked.text.as_bytes());
        Ok((relinked.rewritten > 0).then_some((relinked.text, hash)))
    }

    fn relocation<'r>(&'r self, path: &'r str, file: &'r str) -> Relocation<'r> {
        let place_of = |path: &'r str| if path == self.from { self.to } else { path };
        Relocation {
            source: path,
            new_source: place_of(path),
            file,
            new_file: place_of(file),
        }
    }

    /// Says whether no other note has a name after the move.
    fn is_unique(&self, name: &str, file: &str) -> bool {
        let others = self
            .known
            .and_then(|known| known.names.get(name))
            .copied()
            .unwrap_or(0);
        // The note that moves is not counted; any other file that is meant is.
        if file == self.from {
            others == 0
        } else {
            let moved = usize::from(name_key(self.to) == name);
            others + moved <= 1
        }
    }
}

/// Returns the paths that a plan touches, each once.
pub(super) fn paths(planned: &Planned) -> HashSet<&str> {
    planned
        .entry
        .steps
        .iter()
        .map(|step| step.path.as_str())
        .collect()
}
