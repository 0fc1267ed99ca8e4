//! The index as the store holds it: opened once, written by one thread, searched by many.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crucible_services::data_store::SearchRequest;
use tantivy::directory::MmapDirectory;
use tantivy::schema::Schema;
use tantivy::store::Compressor;
use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy};

use super::fault::{Error, fenced};
use super::keys::KeyCache;
use super::meaning::{self, Nearest, Survey};
use super::query::Query;
use super::schema::{self, Fields};
use super::search::{self, Hit};
use super::snippet::Highlighter;
use super::view::View;
use super::writer::{Payload, Writer};
use super::{NoteText, verify};

const META: &str = "meta.json";
/// Bytes of records that are compressed, and so decompressed, together.
const RECORD_BLOCK_BYTES: usize = 1024;
/// Such blocks that are kept decompressed per segment: about 2 MiB.
const RECORD_BLOCKS_KEPT: usize = 2048;

/// Who may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// This process does; the folder is created when missing.
    ReadWrite,
    /// Another process may; every search sees that one's last commit.
    ReadOnly,
}

/// What can be set about a text index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Memory for documents that are not written yet while many arrive, in bytes, for all threads.
    pub(crate) memory_bytes: usize,
    /// Threads that analyse documents while many arrive; afterwards there is one.
    pub(crate) threads: usize,
    /// How much of the index is compared with its checksums at open, in bytes, newest files first.
    pub(crate) verify_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_bytes: 128 << 20,
            threads: 2,
            verify_bytes_max: 1 << 30,
        }
    }
}

/// A full-text index in a folder.
pub(crate) struct TextIndex {
    dir: PathBuf,
    index: Index,
    fields: Fields,
    reader: IndexReader,
    /// The last commit.
    view: Mutex<Arc<View>>,
    /// `None` for a reader.
    writer: Option<Mutex<Writer>>,
    cursor: AtomicU64,
    /// What `meta.json` was when the reader last loaded it; only looked at without a writer.
    loaded: Mutex<Option<MetaStamp>>,
    /// Highlighters that no search uses now; they remember stems.
    highlighters: Mutex<Vec<Highlighter>>,
    keys: KeyCache,
}

impl std::fmt::Debug for TextIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextIndex")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl TextIndex {
    /// Opens the index in `dir`, checks it, and returns it with the cursor of its last commit, 0
    /// for a new one.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it must be rebuilt: move the folder aside and open again;
    /// [`Error::Absent`] when there is nothing to read; [`Error::Refused`] by the system.
    pub(crate) fn open(dir: &Path, mode: Mode, settings: Settings) -> Result<(Self, u64), Error> {
        fenced(|| Self::open_unfenced(dir, mode, settings))
    }

    fn open_unfenced(dir: &Path, mode: Mode, settings: Settings) -> Result<(Self, u64), Error> {
        let (schema, fields) = schema::schema();
        let loaded = MetaStamp::of(dir);
        let mut index = open_or_create(dir, mode, &schema)?;
        if index.schema() != schema {
            return Err(Error::damaged("it was written by another version"));
        }
        index.set_tokenizers(schema::tokenizers());
        let payload = Payload::read(&index)?;
        verify::checksums(dir, &index, settings.verify_bytes_max)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(RECORD_BLOCKS_KEPT)
            .try_into()?;
        if payload.is_some() {
            verify::canary(fields, &reader)?;
        }
        let view = View::of(reader.searcher(), fields)?;
        let cursor = payload.as_ref().map_or(0, |payload| payload.cursor);
        let writer = (mode == Mode::ReadWrite).then(|| {
            Mutex::new(Writer::new(
                index.clone(),
                fields,
                settings,
                payload.is_none(),
            ))
        });
        let opened = Self {
            dir: dir.to_owned(),
            index,
            fields,
            reader,
            view: Mutex::new(Arc::new(view)),
            writer,
            cursor: AtomicU64::new(cursor),
            loaded: Mutex::new(loaded),
            highlighters: Mutex::new(Vec::new()),
            keys: KeyCache::default(),
        };
        Ok((opened, cursor))
    }

    /// Returns the cursor of the commit that searches see.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Acquire)
    }

    /// Adds a note, in place of the one of this number; searches see it after the commit.
    ///
    /// # Errors
    /// When the index cannot be written; then [`TextIndex::rollback`] and add again what came
    /// after the last commit.
    pub(crate) fn add_note(&self, note: &NoteText<'_>) -> Result<(), Error> {
        fenced(|| self.writer()?.add_note(&self.reader.searcher(), note))
    }

    /// Deletes a note, if it is there; searches see it after the commit.
    ///
    /// # Errors
    /// As [`TextIndex::add_note`].
    pub(crate) fn delete_note(&self, note_id: i64) -> Result<(), Error> {
        fenced(|| self.writer()?.delete_note(&self.reader.searcher(), note_id))
    }

    /// Makes everything before this call durable and visible, together with `cursor`.
    ///
    /// # Errors
    /// As [`TextIndex::add_note`].
    pub(crate) fn commit(&self, cursor: u64) -> Result<(), Error> {
        fenced(|| {
            self.writer()?.commit(cursor)?;
            self.look_again()?;
            self.cursor.store(cursor, Ordering::Release);
            Ok(())
        })
    }

    /// Forgets everything since the last commit; the files stay where they are.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub(crate) fn rollback(&self) -> Result<(), Error> {
        fenced(|| self.writer()?.rollback())
    }

    /// Answers a search, best note first.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`]; [`Error::Damaged`] when the index cannot be read.
    pub(crate) fn search(&self, request: &SearchRequest) -> Result<Vec<Hit>, Error> {
        let query = Query::parse(&request.query)?;
        fenced(|| {
            let mut highlighter = self.highlighters().pop().unwrap_or_else(Highlighter::new);
            let view = self.view()?;
            let hits = search::search(&view, &query, request, &mut highlighter)?;
            self.highlighters().push(highlighter);
            Ok(hits)
        })
    }

    /// Answers a search by meaning, with the vectors of `nearest`; `hybrid` by words as well.
    ///
    /// # Errors
    /// As [`TextIndex::search`].
    pub(crate) fn search_by_meaning(
        &self,
        request: &SearchRequest,
        nearest: &dyn Nearest,
        hybrid: bool,
    ) -> Result<Vec<Hit>, Error> {
        let query = Query::parse(&request.query)?;
        fenced(|| {
            let mut highlighter = self.highlighters().pop().unwrap_or_else(Highlighter::new);
            let view = self.view()?;
            let vectors = meaning::Vectors {
                keys: view.keys(&self.keys)?,
                nearest,
            };
            let hits = if hybrid {
                search::hybrid(&view, &query, request, &vectors, &mut highlighter)?
            } else {
                search::semantic(&view, &query, request, &vectors, &mut highlighter)?
            };
            self.highlighters().push(highlighter);
            Ok(hits)
        })
    }

    /// Says which blocks of the last commit have a key that `is_known` does not know, the latest
    /// written first.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the index cannot be read.
    pub(crate) fn survey(&self, is_known: impl Fn(u64) -> bool) -> Result<Survey, Error> {
        fenced(|| {
            let view = self.view()?;
            view.keys(&self.keys)?;
            Survey::of(view, &self.keys, is_known)
        })
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, Error> {
        let writer = self.writer.as_ref().ok_or(Error::Busy)?;
        Ok(writer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn highlighters(&self) -> MutexGuard<'_, Vec<Highlighter>> {
        self.highlighters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The last commit; without a writer of our own, looks whether another process made one.
    fn view(&self) -> Result<Arc<View>, Error> {
        if self.writer.is_none() {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            let now = MetaStamp::of(&self.dir);
            if now.is_some() && now != *loaded {
                let payload = Payload::read(&self.index)?;
                self.look_again()?;
                *loaded = now;
                self.cursor.store(
                    payload.map_or(0, |payload| payload.cursor),
                    Ordering::Release,
                );
            }
        }
        Ok(Arc::clone(
            &self.view.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    fn look_again(&self) -> Result<(), Error> {
        self.reader.reload()?;
        let view = Arc::new(View::of(self.reader.searcher(), self.fields)?);
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
        Ok(())
    }
}

/// What changes whenever another `meta.json` is put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MetaStamp {
    modified: Option<SystemTime>,
    len: u64,
}

impl MetaStamp {
    fn of(dir: &Path) -> Option<Self> {
        let meta = std::fs::metadata(dir.join(META)).ok()?;
        Some(Self {
            modified: meta.modified().ok(),
            len: meta.len(),
        })
    }
}

fn open_or_create(dir: &Path, mode: Mode, schema: &Schema) -> Result<Index, Error> {
    let exists = dir.join(META).exists();
    if mode == Mode::ReadOnly && !exists {
        return Err(Error::Absent);
    }
    let refused = |error: std::io::Error| Error::Refused {
        reason: format!("{}: {error}", dir.display()),
    };
    std::fs::create_dir_all(dir).map_err(refused)?;
    let directory = MmapDirectory::open(dir).map_err(tantivy::TantivyError::from)?;
    if exists {
        return Ok(Index::open(directory)?);
    }
    for entry in std::fs::read_dir(dir).map_err(refused)? {
        let name = entry.map_err(refused)?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            return Err(Error::damaged(format!("{META} is missing")));
        }
    }
    let settings = IndexSettings {
        docstore_compression: Compressor::Lz4,
        docstore_blocksize: RECORD_BLOCK_BYTES,
        // Records stand in small blocks: handing each to another thread costs more than compressing it.
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    Ok(Index::create(directory, schema.clone(), settings)?)
}
