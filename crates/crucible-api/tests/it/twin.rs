//! A store in memory, with names that make it fail on purpose.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use crucible_services::data_store::{
    Backlink, DataStore, Error, Heading, LinkKind, ListRequest, Note, NoteLinks, NotePage,
    NoteSummary, OutgoingLink, Problem, ProblemKind, ScoreParts, SearchHit, SearchMode,
    SearchRequest, SearchResponse, Snippet, StoreStats,
};
use tokio::sync::Semaphore;

/// Notes by path. A query or reference such as `@panic` makes the call fail in that way.
pub(crate) struct Twin {
    notes: BTreeMap<String, String>,
    /// `@gate` waits for a permit of this.
    pub(crate) gate: Arc<Semaphore>,
    /// Has a permit for each call that has reached the gate.
    pub(crate) at_gate: Arc<Semaphore>,
}

/// A path and a title that break out of careless HTML and careless URLs.
pub(crate) const HOSTILE_PATH: &str = "a \"b\"><script>alert(1)</script>/100%? #1&\n🥖.md";

impl Twin {
    pub(crate) fn sample() -> Self {
        let notes = [
            (
                "Home.md",
                "# Home\n\nStart with [[Bread]] or [[Nowhere]]. #index\n",
            ),
            (
                "Bread.md",
                "# Bread\n\nFlour, water, salt. Back to [[Home]].\n",
            ),
            (
                "Deep/Folder/Bread Oven.md",
                "# Oven\n\nA hot oven for bread. #tool/heat\n",
            ),
            (
                HOSTILE_PATH,
                "# <img src=x onerror=alert(2)>\n\n</pre><b>hostile bread</b> [[Home]]\n",
            ),
        ];
        Self {
            notes: notes
                .into_iter()
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .collect(),
            gate: Arc::new(Semaphore::new(0)),
            at_gate: Arc::new(Semaphore::new(0)),
        }
    }

    async fn fail_if_asked(&self, name: &str) -> Result<(), Error> {
        match name {
            "@panic" => panic!("the twin was asked to panic"),
            "@hang" => {
                self.at_gate.add_permits(1);
                std::future::pending().await
            }
            "@gate" => {
                self.at_gate.add_permits(1);
                let _permit = self.gate.acquire().await.unwrap();
                Ok(())
            }
            "@unavailable" => Err(Error::Unavailable {
                reason: "the index is being rebuilt".to_owned(),
            }),
            "@internal" => Err(Error::Internal {
                message: "the disk is full".to_owned(),
            }),
            "@invalid" => Err(Error::InvalidQuery {
                message: "the phrase has no end; add a \"".to_owned(),
            }),
            "@ambiguous" => Err(Error::Ambiguous {
                reference: name.to_owned(),
                candidates: vec!["Bread.md".to_owned(), "Home.md".to_owned()],
            }),
            _ => Ok(()),
        }
    }

    fn find(&self, reference: &str) -> Result<(&str, &str), Error> {
        let with_md = format!("{reference}.md");
        self.notes
            .get_key_value(reference)
            .or_else(|| self.notes.get_key_value(&with_md))
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .ok_or_else(|| Error::NotFound {
                reference: reference.to_owned(),
                candidates: vec!["Home.md".to_owned()],
            })
    }
}

fn title(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("# ")
}

fn tags(text: &str) -> Vec<String> {
    text.split_whitespace()
        .filter_map(|word| word.strip_prefix('#'))
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("[[")
        .skip(1)
        .filter_map(|rest| rest.split("]]").next())
}

fn summary(path: &str, text: &str) -> NoteSummary {
    NoteSummary {
        path: path.to_owned(),
        title: title(text).to_owned(),
        aliases: Vec::new(),
        tags: tags(text),
        hash: "0".repeat(64),
        size_bytes: text.len() as u64,
        modified_ms: 0,
    }
}

#[async_trait]
impl DataStore for Twin {
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, Error> {
        self.fail_if_asked(&request.query).await?;
        let word = request.query.to_ascii_lowercase();
        let below = request.folder.as_deref().map(|folder| format!("{folder}/"));
        let hits = self
            .notes
            .iter()
            .filter(|(path, _)| below.as_ref().is_none_or(|below| path.starts_with(below)))
            .filter(|(_, text)| request.tags.iter().all(|tag| tags(text).contains(tag)))
            .filter_map(|(path, text)| {
                let body = text.lines().nth(2).unwrap_or_default();
                let start = body.to_ascii_lowercase().find(&word)?;
                Some(SearchHit {
                    path: path.clone(),
                    title: title(text).to_owned(),
                    heading_path: vec![title(text).to_owned()],
                    line: 3,
                    snippet: Snippet {
                        text: body.to_owned(),
                        highlights: vec![(start, start + word.len())],
                    },
                    score: 1.5,
                    parts: ScoreParts::default(),
                })
            })
            .take(request.limit)
            .collect();
        Ok(SearchResponse {
            hits,
            took_us: 42,
            mode: SearchMode::Lexical,
            notices: Vec::new(),
        })
    }

    async fn note(&self, reference: &str) -> Result<Note, Error> {
        self.fail_if_asked(reference).await?;
        let (path, text) = self.find(reference)?;
        Ok(Note {
            summary: summary(path, text),
            text: text.to_owned(),
            properties: serde_json::Map::new(),
            headings: vec![Heading {
                level: 1,
                text: title(text).to_owned(),
                line: 1,
            }],
        })
    }

    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, Error> {
        let after = request.cursor.unwrap_or_default();
        let matching: Vec<_> = self
            .notes
            .iter()
            .filter(|(path, _)| request.folder.as_ref().is_none_or(|f| path.starts_with(f)))
            .filter(|(_, text)| {
                request
                    .tag
                    .as_ref()
                    .is_none_or(|tag| tags(text).contains(tag))
            })
            .collect();
        let rest: Vec<_> = matching.iter().filter(|(path, _)| **path > after).collect();
        let limit = if request.limit == 0 {
            100
        } else {
            request.limit
        };
        let notes: Vec<_> = rest
            .iter()
            .take(limit)
            .map(|(path, text)| summary(path, text))
            .collect();
        let next_cursor = (rest.len() > limit).then(|| notes[limit - 1].path.clone());
        Ok(NotePage {
            notes,
            total: matching.len() as u64,
            next_cursor,
        })
    }

    async fn links(&self, reference: &str) -> Result<NoteLinks, Error> {
        self.fail_if_asked(reference).await?;
        let (path, text) = self.find(reference)?;
        let outgoing = targets(text)
            .map(|target| OutgoingLink {
                target: target.to_owned(),
                resolved: self.find(target).ok().map(|(path, _)| path.to_owned()),
                ambiguous: false,
                heading: None,
                block: None,
                alias: None,
                kind: LinkKind::Wikilink,
                line: 3,
            })
            .collect();
        let backlinks = self
            .notes
            .iter()
            .filter(|(_, other)| targets(other).any(|t| self.find(t).is_ok_and(|(p, _)| p == path)))
            .map(|(from, other)| Backlink {
                path: from.clone(),
                title: title(other).to_owned(),
                line: 3,
                context: other.lines().nth(2).unwrap_or_default().to_owned(),
                kind: LinkKind::Wikilink,
            })
            .collect();
        Ok(NoteLinks {
            path: path.to_owned(),
            title: title(text).to_owned(),
            outgoing,
            backlinks,
        })
    }

    async fn stats(&self) -> Result<StoreStats, Error> {
        Ok(StoreStats {
            notes: self.notes.len() as u64,
            blocks: 12_770,
            links: 4,
            links_unresolved: 1,
            tags: 2,
            problems: 1,
            ..StoreStats::default()
        })
    }

    async fn problems(&self, limit: usize) -> Result<Vec<Problem>, Error> {
        let problem = Problem {
            path: "Scan <1>.md".to_owned(),
            kind: ProblemKind::Binary,
            message: "the file holds NUL bytes; rename it if it is not a note".to_owned(),
            line: None,
        };
        Ok(vec![problem].into_iter().take(limit).collect())
    }
}
