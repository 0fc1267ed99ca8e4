//! The writing half: documents in, commits out.
//!
//! While the first index is built, several threads with much memory make few large segments. From the
//! first small commit on, one thread with little memory makes commits cheap, and merging keeps
//! the segments few.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{Index, IndexWriter, Searcher, Term};

use super::schema::{FORMAT, Fields};
use super::{Error, NoteText, Settings};

/// A commit of fewer documents than this ends the building of a first index.
const SMALL_COMMIT_DOCUMENTS: usize = 2_000;
/// The least that the library takes for a thread, in bytes.
const THREAD_BYTES_MIN: usize = 15_000_000;
/// Memory of the one thread after the first index, in bytes.
const STEADY_BYTES: usize = 20_000_000;
/// Segments of about one size that are merged into one.
const MERGE_SEGMENTS: usize = 6;
/// Segments of fewer documents count as equally small.
const MERGE_LAYER_DOCUMENTS: u32 = 2_000;
/// A segment is rewritten when this share of it is deleted.
const MERGE_DELETED_SHARE: f32 = 0.3;

/// What stands in a commit beside the documents.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) format: u32,
    pub(super) cursor: u64,
}

impl Payload {
    /// Reads the payload of the last commit; `None` before the first.
    pub(super) fn read(index: &Index) -> Result<Option<Self>, Error> {
        let Some(text) = index.load_metas()?.payload else {
            return Ok(None);
        };
        let payload: Self = serde_json::from_str(&text)
            .map_err(|error| Error::damaged(format!("its commit cannot be read: {error}")))?;
        if payload.format != FORMAT {
            return Err(Error::damaged("it was written by another version"));
        }
        Ok(Some(payload))
    }
}

/// Writes one index. The lock of the folder is taken with the first document.
pub(super) struct Writer {
    index: Index,
    fields: Fields,
    settings: Settings,
    open: Option<IndexWriter>,
    /// Whether the first index is being built.
    bulk: bool,
    /// Whether the canary has to be added to the next commit.
    canary_due: bool,
    /// Notes written since the last commit.
    touched: HashSet<i64>,
    documents: usize,
}

impl Writer {
    pub(super) fn new(index: Index, fields: Fields, settings: Settings, fresh: bool) -> Self {
        Self {
            index,
            fields,
            settings,
            open: None,
            bulk: fresh,
            canary_due: fresh,
            touched: HashSet::new(),
            documents: 0,
        }
    }

    pub(super) fn add_note(&mut self, now: &Searcher, note: &NoteText<'_>) -> Result<(), Error> {
        self.delete_note(now, note.note_id)?;
        let documents = self.fields.documents(note);
        self.touched.insert(note.note_id);
        self.documents += documents.len();
        let writer = self.writer()?;
        for document in documents {
            if let Err(error) = writer.add_document(document) {
                // Only the worker that ended knows why; it says so when it is joined.
                writer.prepare_commit()?;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Deletes only what can be there: a deletion is looked up in every segment.
    pub(super) fn delete_note(&mut self, now: &Searcher, note_id: i64) -> Result<(), Error> {
        let term = Term::from_field_i64(self.fields.note, note_id);
        if self.touched.contains(&note_id) || now.doc_freq(&term)? > 0 {
            self.touched.insert(note_id);
            self.writer()?.delete_term(term);
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, cursor: u64) -> Result<(), Error> {
        let payload = serde_json::to_string(&Payload {
            format: FORMAT,
            cursor,
        })
        .map_err(|error| Error::Refused {
            reason: error.to_string(),
        })?;
        let canary = self.canary_due.then(|| self.fields.canary());
        let writer = self.writer()?;
        if let Some(canary) = canary {
            writer.add_document(canary)?;
        }
        let mut prepared = writer.prepare_commit()?;
        prepared.set_payload(&payload);
        prepared.commit()?;
        self.canary_due = false;
        self.touched.clear();
        let small = std::mem::take(&mut self.documents) < SMALL_COMMIT_DOCUMENTS;
        if self.bulk && small {
            self.bulk = false;
            if let Some(writer) = self.open.take() {
                writer.wait_merging_threads()?;
            }
        }
        Ok(())
    }

    /// Goes back to the last commit, with a writer that knows nothing of the former one: after
    /// an error that one may have lost its threads or its lock.
    pub(super) fn rollback(&mut self) -> Result<(), Error> {
        self.touched.clear();
        self.documents = 0;
        if self.open.take().is_some() {
            // What the former one left half written takes room that may be needed now.
            let left = self.writer()?.garbage_collect_files().wait();
            if let Err(error) = left {
                tracing::debug!(%error, "files of the text index were left behind");
            }
        }
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut IndexWriter, Error> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        Ok(self.open.insert(open))
    }

    fn start(&self) -> Result<IndexWriter, Error> {
        let (threads, bytes) = if self.bulk {
            let threads = self.settings.threads.clamp(1, 8);
            (
                threads,
                (self.settings.memory_bytes / threads).max(THREAD_BYTES_MIN),
            )
        } else {
            (1, STEADY_BYTES)
        };
        let options = IndexWriterOptions::builder()
            .num_worker_threads(threads)
            .memory_budget_per_thread(bytes)
            .num_merge_threads(1)
            .build();
        let writer = self.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_min_num_segments(MERGE_SEGMENTS);
        policy.set_min_layer_size(MERGE_LAYER_DOCUMENTS);
        policy.set_del_docs_ratio_before_merge(MERGE_DELETED_SHARE);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }
}
