//! Questions about the notes of a vault in memory.

use async_trait::async_trait;
use crucible_notes::names::{base_name, strip_md};
use crucible_notes::{LinkKind as Written, NoteFacts};
use crucible_services::data_store::{
    Backlink, DataStore, Error, Heading, LinkKind, ListRequest, Note, NoteLinks, NotePage,
    NoteSummary, OutgoingLink, Problem, ScoreParts, SearchHit, SearchMode, SearchRequest,
    SearchResponse, Snippet, StoreStats,
};

use super::resolve::resolve;
use super::vault::{MemoryVault, hash};

/// The longest snippet, in characters.
const SNIPPET_CHARS_MAX: usize = 160;

impl MemoryVault {
    fn all(&self) -> Vec<(NoteSummary, NoteFacts, std::sync::Arc<str>)> {
        let notes: Vec<_> = {
            let notes = self.notes();
            notes
                .iter()
                .map(|(path, text)| (path.clone(), text.clone()))
                .collect()
        };
        let parsed = notes.into_iter().map(|(path, text)| {
            let facts = crucible_notes::parse(&text);
            (summary(path, &text, &facts), facts, text)
        });
        parsed.collect()
    }

    fn summaries(&self) -> Vec<NoteSummary> {
        self.all()
            .into_iter()
            .map(|(summary, _, _)| summary)
            .collect()
    }
}

fn summary(path: String, text: &str, facts: &NoteFacts) -> NoteSummary {
    let heading = facts.headings.iter().find(|heading| heading.level == 1);
    let name = || strip_md(base_name(&path)).to_owned();
    let title = facts
        .title
        .clone()
        .or_else(|| heading.map(|heading| heading.text.clone()))
        .unwrap_or_else(name);
    let mut tags: Vec<String> = facts.tags.iter().map(|tag| tag.name.clone()).collect();
    tags.sort();
    tags.dedup();
    NoteSummary {
        title,
        aliases: facts.aliases.clone(),
        tags,
        hash: hash(text),
        size_bytes: text.len() as u64,
        modified_ms: 0,
        path,
    }
}

fn is_below(path: &str, folder: Option<&str>) -> bool {
    folder.is_none_or(|folder| {
        let folder = folder.trim_matches('/');
        folder.is_empty()
            || path
                .strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
    })
}

fn carries(tags: &[String], wanted: &str) -> bool {
    tags.iter().any(|tag| {
        tag.strip_prefix(wanted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[async_trait]
impl DataStore for MemoryVault {
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, Error> {
        let words: Vec<String> = request
            .query
            .split_whitespace()
            .map(|word| word.trim_matches('"').to_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        let mut hits = Vec::new();
        for (note, _facts, text) in self.all() {
            let lower = text.to_lowercase();
            let is_wanted = is_below(&note.path, request.folder.as_deref())
                && request.tags.iter().all(|tag| carries(&note.tags, tag))
                && !words.is_empty()
                && words.iter().all(|word| lower.contains(word.as_str()));
            if is_wanted {
                let count: usize = words
                    .iter()
                    .map(|word| lower.matches(word.as_str()).count())
                    .sum();
                hits.push(hit(note, &text, &words, count));
            }
        }
        hits.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then_with(|| a.path.cmp(&b.path))
        });
        hits.truncate(request.limit);
        Ok(SearchResponse {
            hits,
            took_us: 0,
            mode: SearchMode::Lexical,
            notices: Vec::new(),
        })
    }

    async fn note(&self, reference: &str) -> Result<Note, Error> {
        let path = resolve(&self.summaries(), reference)?.path.clone();
        let gone = || Error::NotFound {
            reference: reference.to_owned(),
            candidates: Vec::new(),
        };
        let text = self.text(&path).ok_or_else(gone)?;
        let facts = crucible_notes::parse(&text);
        let headings = facts.headings.iter().map(|heading| Heading {
            level: heading.level,
            text: heading.text.clone(),
            line: heading.line,
        });
        Ok(Note {
            summary: summary(path, &text, &facts),
            text: text.to_string(),
            headings: headings.collect(),
            properties: facts.properties,
        })
    }

    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, Error> {
        let mut notes = self.summaries();
        notes.retain(|note| {
            is_below(&note.path, request.folder.as_deref())
                && request
                    .tag
                    .as_ref()
                    .is_none_or(|tag| carries(&note.tags, tag))
        });
        let total = notes.len() as u64;
        let limit = match request.limit {
            0 => ListRequest::LIMIT_DEFAULT,
            limit => limit.min(ListRequest::LIMIT_MAX),
        };
        let after = request.cursor.unwrap_or_default();
        notes.retain(|note| note.path > after);
        let has_more = notes.len() > limit;
        notes.truncate(limit);
        let next_cursor = notes
            .last()
            .filter(|_| has_more)
            .map(|note| note.path.clone());
        Ok(NotePage {
            notes,
            total,
            next_cursor,
        })
    }

    async fn links(&self, reference: &str) -> Result<NoteLinks, Error> {
        let all = self.all();
        let summaries: Vec<NoteSummary> =
            all.iter().map(|(summary, _, _)| summary.clone()).collect();
        let note = resolve(&summaries, reference)?;
        let resolved = |target: &str| resolve(&summaries, target).ok().map(|to| to.path.clone());
        let mut links = NoteLinks {
            path: note.path.clone(),
            title: note.title.clone(),
            outgoing: Vec::new(),
            backlinks: Vec::new(),
        };
        for (from, facts, text) in &all {
            for link in facts.links.iter().filter(|link| !link.target.is_empty()) {
                let to = resolved(&link.target);
                if from.path != note.path && to.as_ref() == Some(&note.path) {
                    links.backlinks.push(Backlink {
                        path: from.path.clone(),
                        title: from.title.clone(),
                        line: link.line,
                        context: line_at(text, link.line),
                        kind: kind(link.kind),
                    });
                }
                if from.path == note.path {
                    links.outgoing.push(OutgoingLink {
                        target: link.target.clone(),
                        resolved: to,
                        ambiguous: false,
                        heading: link.headings.last().cloned(),
                        block: link.block.clone(),
                        alias: link.alias.clone(),
                        kind: kind(link.kind),
                        line: link.line,
                    });
                }
            }
        }
        Ok(links)
    }

    async fn stats(&self) -> Result<StoreStats, Error> {
        Ok(StoreStats {
            notes: self.notes().len() as u64,
            ..StoreStats::default()
        })
    }

    async fn problems(&self, _limit: usize) -> Result<Vec<Problem>, Error> {
        Ok(Vec::new())
    }
}

fn hit(note: NoteSummary, text: &str, words: &[String], count: usize) -> SearchHit {
    let holds = |line: &str| {
        words
            .iter()
            .any(|word| line.to_lowercase().contains(word.as_str()))
    };
    let found = text.lines().enumerate().find(|(_, line)| holds(line));
    let (index, line) = found.unwrap_or_default();
    SearchHit {
        path: note.path,
        title: note.title,
        heading_path: Vec::new(),
        line: index as u64 + 1,
        snippet: Snippet {
            text: line.chars().take(SNIPPET_CHARS_MAX).collect(),
            highlights: Vec::new(),
        },
        score: u16::try_from(count).map_or(f32::MAX, f32::from),
        parts: ScoreParts::default(),
    }
}

fn line_at(text: &str, line: u64) -> String {
    let index = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    text.lines().nth(index).unwrap_or_default().to_owned()
}

const fn kind(kind: Written) -> LinkKind {
    match kind {
        Written::Wikilink => LinkKind::Wikilink,
        Written::Embed => LinkKind::Embed,
        Written::Markdown => LinkKind::Markdown,
        Written::MarkdownEmbed => LinkKind::MarkdownEmbed,
        Written::Property => LinkKind::Property,
    }
}
