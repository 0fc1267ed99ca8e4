//! A data store in memory that behaves as a real one, and misbehaves on demand.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use crucible_services::data_store::{
    Backlink, DataStore, Error, Heading, LinkKind, ListRequest, Note, NoteLinks, NotePage,
    NoteSummary, OutgoingLink, Problem, ScoreParts, SearchHit, SearchMode, SearchRequest,
    SearchResponse, Snippet, StoreStats,
};
use serde_json::Map;
use tokio::sync::Notify;

/// Notes by path.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    notes: Mutex<BTreeMap<String, String>>,
    is_unavailable: AtomicBool,
    is_stalled: AtomicBool,
    panics: AtomicBool,
    released: Notify,
    /// How many questions were asked.
    pub(crate) asked: AtomicUsize,
    /// How many questions wait for the end of a stall.
    pub(crate) waiting: AtomicUsize,
}

impl Vault {
    /// Returns a vault with a few notes that link to each other.
    pub(crate) fn small() -> Self {
        let vault = Self::default();
        vault.write(
            "Home.md",
            "---\naliases: [Start]\n---\n# Home\nSee [[Garden]] and [[Nowhere]].\n",
        );
        vault.write(
            "Projects/Garden.md",
            "# Garden\nA plan for the garden. #area/outside\n\n## Beds\nTomatoes like sun.\n\n## Tools\nA spade.\n",
        );
        vault.write(
            "Projects/Index.md",
            "# Projects\n[[Garden|the garden]] comes first.\n",
        );
        vault.write("Recipes/Index.md", "# Recipes\nTomato soup. #food\n");
        vault
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let mut notes = self.notes.lock().unwrap();
        notes.insert(path.to_owned(), text.to_owned());
    }

    pub(crate) fn set_unavailable(&self, is_unavailable: bool) {
        self.is_unavailable.store(is_unavailable, Ordering::SeqCst);
    }

    /// From now on every question waits until [`Vault::release`].
    pub(crate) fn stall(&self) {
        self.is_stalled.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.is_stalled.store(false, Ordering::SeqCst);
        self.released.notify_waiters();
    }

    pub(crate) fn break_down(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    pub(crate) fn repair(&self) {
        self.panics.store(false, Ordering::SeqCst);
    }

    async fn gate(&self) -> Result<(), Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(
            !self.panics.load(Ordering::SeqCst),
            "the store broke, as it was told to"
        );
        if self.is_unavailable.load(Ordering::SeqCst) {
            return Err(Error::Unavailable {
                reason: "the index is being rebuilt".to_owned(),
            });
        }
        let released = self.released.notified();
        if self.is_stalled.load(Ordering::SeqCst) {
            let _counted = Counted::new(&self.waiting);
            released.await;
        }
        Ok(())
    }

    fn summaries(&self) -> Vec<NoteSummary> {
        let notes = self.notes.lock().unwrap();
        notes
            .iter()
            .map(|(path, text)| summary(path, text))
            .collect()
    }

    fn text(&self, path: &str) -> String {
        self.notes.lock().unwrap()[path].clone()
    }

    fn find(&self, reference: &str) -> Result<NoteSummary, Error> {
        let all = self.summaries();
        let by_path = |note: &&NoteSummary| {
            note.path == reference || note.path.strip_suffix(".md") == Some(reference)
        };
        if let Some(note) = all.iter().find(by_path) {
            return Ok(note.clone());
        }
        let wanted = reference.to_lowercase();
        let is_called = |note: &&NoteSummary| {
            stem(&note.path).to_lowercase() == wanted
                || note.title.to_lowercase() == wanted
                || note
                    .aliases
                    .iter()
                    .any(|alias| alias.to_lowercase() == wanted)
        };
        let called: Vec<_> = all.iter().filter(is_called).collect();
        match called[..] {
            [note] => Ok(note.clone()),
            [] => Err(Error::NotFound {
                reference: reference.to_owned(),
                candidates: all
                    .iter()
                    .filter(|note| {
                        let start: String = wanted.chars().take(3).collect();
                        !start.is_empty() && note.path.to_lowercase().contains(&start)
                    })
                    .map(|note| note.path.clone())
                    .collect(),
            }),
            _ => Err(Error::Ambiguous {
                reference: reference.to_owned(),
                candidates: called.iter().map(|note| note.path.clone()).collect(),
            }),
        }
    }
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".md").unwrap_or(name)
}

fn summary(path: &str, text: &str) -> NoteSummary {
    let title = text.lines().find_map(|line| line.strip_prefix("# "));
    let aliases = text
        .lines()
        .find_map(|line| line.strip_prefix("aliases: [")?.strip_suffix(']'))
        .map(|list| list.split(", ").map(str::to_owned).collect());
    let mut tags: Vec<String> = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('#'))
        .filter(|tag| tag.starts_with(char::is_alphabetic))
        .map(str::to_owned)
        .collect();
    tags.sort();
    // Not BLAKE3, but as long as one and another for every text (FNV-1a).
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    NoteSummary {
        path: path.to_owned(),
        title: title.unwrap_or(stem(path)).to_owned(),
        aliases: aliases.unwrap_or_default(),
        tags,
        hash: format!("{hash:016x}").repeat(4),
        size_bytes: text.len() as u64,
        modified_ms: 1_700_000_000_000,
    }
}

fn headings(text: &str) -> Vec<Heading> {
    let level = |line: &str| line.find(|c| c != '#').filter(|l| (1..=6).contains(l));
    text.lines()
        .zip(1..)
        .filter_map(|(line, number)| {
            let level = level(line)?;
            let text = line[level..].strip_prefix(' ')?;
            Some(Heading {
                level: u8::try_from(level).unwrap(),
                text: text.to_owned(),
                line: number,
            })
        })
        .collect()
}

fn outgoing(text: &str) -> Vec<(String, u64)> {
    let in_line = |(line, number): (&str, u64)| {
        line.split("[[")
            .skip(1)
            .filter_map(|part| part.split_once("]]"))
            .map(|(link, _)| link.split('|').next().unwrap_or(link).to_owned())
            .map(|target| (target, number))
            .collect::<Vec<_>>()
    };
    text.lines().zip(1..).flat_map(in_line).collect()
}

fn lies_below(path: &str, folder: Option<&str>) -> bool {
    folder.is_none_or(|folder| path.starts_with(&format!("{folder}/")))
}

fn has_tag(note: &NoteSummary, wanted: &str) -> bool {
    note.tags
        .iter()
        .any(|tag| tag == wanted || tag.starts_with(&format!("{wanted}/")))
}

#[async_trait]
impl DataStore for Vault {
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, Error> {
        self.gate().await?;
        if request.query.contains('"') && request.query.matches('"').count() % 2 == 1 {
            return Err(Error::InvalidQuery {
                message: "a phrase has no closing quotation mark; add it".to_owned(),
            });
        }
        let words: Vec<String> = request
            .query
            .to_lowercase()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let mut hits = Vec::new();
        for note in self.summaries() {
            if !lies_below(&note.path, request.folder.as_deref())
                || !request.tags.iter().all(|tag| has_tag(&note, tag))
            {
                continue;
            }
            for (line, number) in self.text(&note.path).lines().zip(1..) {
                let low = line.to_lowercase();
                let found: Vec<_> = words
                    .iter()
                    .filter_map(|w| Some((low.find(w)?, w.len())))
                    .collect();
                let Some(&(at, len)) = found.first() else {
                    continue;
                };
                hits.push(SearchHit {
                    path: note.path.clone(),
                    title: note.title.clone(),
                    heading_path: vec![note.title.clone()],
                    line: number,
                    snippet: Snippet {
                        text: line.to_owned(),
                        highlights: vec![(at, at + len)],
                    },
                    #[expect(clippy::cast_precision_loss, reason = "a few words")]
                    score: found.len() as f32,
                    parts: ScoreParts::default(),
                });
                break;
            }
        }
        hits.sort_by(|left, right| right.score.total_cmp(&left.score));
        hits.truncate(request.limit);
        Ok(SearchResponse {
            hits,
            took_us: 7,
            mode: SearchMode::Lexical,
            notices: Vec::new(),
        })
    }

    async fn note(&self, reference: &str) -> Result<Note, Error> {
        self.gate().await?;
        let summary = self.find(reference)?;
        let text = self.text(&summary.path);
        Ok(Note {
            headings: headings(&text),
            summary,
            text,
            properties: Map::new(),
        })
    }

    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, Error> {
        self.gate().await?;
        let mut notes = self.summaries();
        notes.retain(|note| lies_below(&note.path, request.folder.as_deref()));
        notes.retain(|note| request.tag.as_deref().is_none_or(|tag| has_tag(note, tag)));
        let total = notes.len() as u64;
        if let Some(cursor) = &request.cursor {
            let Some(after) = cursor.strip_prefix("after:") else {
                return Err(Error::InvalidQuery {
                    message: "this is not a cursor of a former page; begin without one".to_owned(),
                });
            };
            notes.retain(|note| note.path.as_str() > after);
        }
        let is_last = notes.len() <= request.limit;
        notes.truncate(request.limit);
        let next_cursor = notes
            .last()
            .filter(|_| !is_last)
            .map(|note| format!("after:{}", note.path));
        Ok(NotePage {
            notes,
            total,
            next_cursor,
        })
    }

    async fn links(&self, reference: &str) -> Result<NoteLinks, Error> {
        self.gate().await?;
        let note = self.find(reference)?;
        let resolve = |target: &str| self.find(target).ok().map(|found| found.path);
        let link = |(target, line): (String, u64)| OutgoingLink {
            resolved: resolve(&target),
            target,
            ambiguous: false,
            heading: None,
            block: None,
            alias: None,
            kind: LinkKind::Wikilink,
            line,
        };
        let mut backlinks = Vec::new();
        for other in self.summaries() {
            let text = self.text(&other.path);
            for (target, line) in outgoing(&text) {
                if resolve(&target).as_deref() == Some(&note.path) {
                    let context = text.lines().nth(usize::try_from(line).unwrap() - 1);
                    backlinks.push(Backlink {
                        path: other.path.clone(),
                        title: other.title.clone(),
                        line,
                        context: context.unwrap_or_default().to_owned(),
                        kind: LinkKind::Wikilink,
                    });
                }
            }
        }
        Ok(NoteLinks {
            outgoing: outgoing(&self.text(&note.path))
                .into_iter()
                .map(link)
                .collect(),
            path: note.path,
            title: note.title,
            backlinks,
        })
    }

    async fn stats(&self) -> Result<StoreStats, Error> {
        self.gate().await?;
        Ok(StoreStats {
            notes: self.summaries().len() as u64,
            ..StoreStats::default()
        })
    }

    async fn problems(&self, _limit: usize) -> Result<Vec<Problem>, Error> {
        self.gate().await?;
        Ok(Vec::new())
    }
}
