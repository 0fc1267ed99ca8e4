//! Answering questions.

use std::path::Path;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use crucible_notes::decode;
use crucible_services::data_store::{
    DataStore, Error, ListRequest, Note, NoteLinks, NotePage, Problem, SearchHit, SearchMode,
    SearchRequest, SearchResponse, StoreStats,
};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, block_in_place, spawn_blocking};
use tokio::time::Instant;

use crate::ask;
use crate::store::{Store, lock};
use crate::text;
use crate::vectors::Comparison;

/// The most problems that are returned at once.
const PROBLEMS_MAX: usize = 10_000;

#[async_trait]
impl DataStore for Store {
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, Error> {
        let began = Instant::now();
        let mut notices = self.notices();
        let meant = self.meant(&request, &mut notices).await?;
        let mode = match (&meant, request.mode) {
            (None, _) => SearchMode::Lexical,
            (Some(_), SearchMode::Semantic) => SearchMode::Semantic,
            (Some(_), _) => SearchMode::Hybrid,
        };
        let index = self.text();
        let search = move || match meant {
            Some(meant) => index.search_by_meaning(&request, &meant, mode == SearchMode::Hybrid),
            None => index.search(&request),
        };
        let hits = at_once(search)
            .await
            .map_err(|error| broken(&error))?
            .map_err(|error| text_error(&error))?;
        Ok(SearchResponse {
            hits: hits.into_iter().map(SearchHit::from).collect(),
            took_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            mode,
            notices,
        })
    }

    async fn note(&self, reference: &str) -> Result<Note, Error> {
        let wanted = reference.to_owned();
        let parts = self
            .inner
            .readers
            .read(move |connection| ask::note::note(connection, &wanted))
            .await?;
        let bytes = self.inner.source.read(&parts.summary.path).await?;
        let text = match decode(&bytes).text() {
            Some(text) => text.to_owned(),
            None => {
                return Err(Error::InvalidQuery {
                    message: format!("{:?} holds binary data now", parts.summary.path),
                });
            }
        };
        Ok(Note {
            summary: parts.summary,
            text,
            properties: parts.properties,
            headings: parts.headings,
        })
    }

    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, Error> {
        self.inner
            .readers
            .read(move |connection| ask::list::list(connection, &request))
            .await
    }

    async fn links(&self, reference: &str) -> Result<NoteLinks, Error> {
        let wanted = reference.to_owned();
        self.inner
            .readers
            .read(move |connection| ask::links::links(connection, &wanted))
            .await
    }

    async fn stats(&self) -> Result<StoreStats, Error> {
        let known = *lock(&self.inner.counts);
        let text_cursor = self.text().cursor().cast_signed();
        let is_writing = self.is_writing();
        let index_dir = self.inner.shared.config.index_dir.clone();
        let (counts, behind, index_size_bytes) = self
            .inner
            .readers
            .read(move |connection| {
                let behind = match is_writing {
                    true => 0,
                    false => ask::stats::behind(connection, text_cursor)?,
                };
                let counts = ask::stats::counts(connection, known)?;
                Ok((counts, behind, folder_bytes(&index_dir)))
            })
            .await?;
        *lock(&self.inner.counts) = Some(counts);
        let shared = &self.inner.shared;
        Ok(StoreStats {
            notes: counts.notes,
            blocks: counts.blocks,
            links: counts.links,
            links_unresolved: counts.links_unresolved,
            tags: counts.tags,
            problems: counts.problems,
            text_pending: if is_writing {
                shared.text().pending
            } else {
                behind
            },
            parsed_since_open: shared.parsed.load(Ordering::Relaxed),
            vectors: self.vectors().map(|vectors| vectors.status().stats()),
            index_size_bytes,
        })
    }

    async fn problems(&self, limit: usize) -> Result<Vec<Problem>, Error> {
        let limit = limit.min(PROBLEMS_MAX);
        self.inner
            .readers
            .read(move |connection| Ok(ask::problems::problems(connection, limit)?))
            .await
    }
}

impl Store {
    /// Makes the query ready to be compared by meaning, where that is asked for and possible; a
    /// notice says when it is not, or not fully.
    async fn meant(
        &self,
        request: &SearchRequest,
        notices: &mut Vec<String>,
    ) -> Result<Option<Comparison>, Error> {
        let Some(vectors) = self.vectors() else {
            if matches!(request.mode, SearchMode::Semantic | SearchMode::Hybrid) {
                notices.push("Searched by words only: there is no inference engine.".to_owned());
            }
            return Ok(None);
        };
        vectors.touch();
        if request.mode == SearchMode::Lexical {
            return Ok(None);
        }
        let query = text::meaning(&request.query).map_err(|error| text_error(&error))?;
        let deadline = self.inner.shared.config.query_embedding_deadline;
        match vectors.compare(query, deadline).await {
            Ok(comparison) => {
                notices.extend(vectors.status().incomplete());
                Ok(Some(comparison))
            }
            Err(notice) => {
                notices.push(notice);
                Ok(None)
            }
        }
    }

    /// What a person should know about the answers to searches now.
    fn notices(&self) -> Vec<String> {
        let text = self.inner.shared.text();
        let mut notices = Vec::new();
        if let Some(failure) = text.failure {
            notices.push(format!("The answer may miss recent changes: {failure}."));
        } else if text.is_rebuilding || text.pending > PENDING_TOLD {
            notices.push(format!(
                "The index is still being built; {} notes cannot be found yet.",
                text.pending
            ));
        }
        notices
    }
}

/// Runs work of a fraction of a millisecond where it is called, where the runtime has threads to take over
/// what else this one had to do: handing it to another thread and back costs more than a search.
async fn at_once<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => Ok(block_in_place(work)),
        _ => spawn_blocking(work).await,
    }
}

/// Below this many notes not yet taken over, an answer says nothing about them.
const PENDING_TOLD: u64 = 50;

pub(crate) fn text_error(error: &text::Error) -> Error {
    match error {
        text::Error::InvalidQuery { message } => Error::InvalidQuery {
            message: message.clone(),
        },
        text::Error::Busy => Error::Unavailable {
            reason: error.to_string(),
        },
        other => Error::Internal {
            message: other.to_string(),
        },
    }
}

fn broken(error: &tokio::task::JoinError) -> Error {
    Error::Internal {
        message: format!("the search broke off: {error}"),
    }
}

/// Adds up the files of the index; what cannot be looked at counts nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_gone) => 0,
        })
        .sum()
}
