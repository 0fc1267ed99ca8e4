//! The handle of an open index, and the threads behind it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crucible_services::data_store::Error;
use crucible_services::inference::InferenceEngine;
use crucible_services::note_index::NoteSource;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use crate::ask::stats::Counts;
use crate::config::StoreConfig;
use crate::facts::Mark;
use crate::feeder::{BATCHES_MAX, Feeder, Parts, TextSlot};
use crate::open::{self, OpenError, Opened};
use crate::readers::Readers;
use crate::shared::Shared;
use crate::text::TextIndex;
use crate::vectors::Vectors;
use crate::writer::{COMMANDS_MAX, Command, Writer};

/// How long [`Store::close`] waits for the threads to finish what was accepted.
const CLOSE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a command waits for its turn and its answer. A batch waits while the text index
/// takes over the ones before it, which can be long on a slow disk.
const COMMAND_DEADLINE: Duration = Duration::from_secs(300);

/// An open index. Cheap to clone; the last clone that goes, or [`Store::close`], ends it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: Arc<dyn NoteSource>,
    pub(crate) readers: Readers,
    pub(crate) slot: Arc<TextSlot>,
    /// The last counts, and the state that they belong to.
    pub(crate) counts: Mutex<Option<Counts>>,
    vectors: OnceLock<Arc<Vectors>>,
    /// `None` for a store that only reads.
    writer: Option<mpsc::Sender<Command>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    recovered: Vec<String>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("shared", &self.shared)
            .field("is_writing", &self.writer.is_some())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the index for reading and writing; creates it when it is missing.
    ///
    /// A damaged part is moved aside and built anew, which [`Store::recovered`] tells. Must be
    /// called inside a runtime; `source` is read through it.
    ///
    /// # Errors
    /// When another store writes the index, or the system refuses; see [`OpenError`].
    pub async fn open(config: StoreConfig, source: Arc<dyn NoteSource>) -> Result<Self, OpenError> {
        let opening = config.clone();
        let opened = blocking(move || open::open_for_writing(&opening)).await??;
        let Opened {
            lock,
            facts,
            checked,
            text,
            findings,
        } = opened;
        let shared = Arc::new(Shared::new(config, true));
        let is_on_trust = checked == open::facts::Checked::Head;
        shared.is_on_trust.store(is_on_trust, Ordering::Relaxed);
        let seq = Mark::Seq
            .read(&facts)
            .map_err(|error| OpenError::Failed(shared.sqlite_error(&error).to_string()))?;
        shared.seq.send_replace(seq);
        shared.text_cursor.store(text.cursor, Ordering::Relaxed);
        let readers = Readers::new(Arc::clone(&shared));
        let slot = Arc::new(Mutex::new(Arc::clone(&text.index)));
        let lock = Arc::new(lock);
        let (to_writer, commands) = mpsc::channel(COMMANDS_MAX);
        let (to_feeder, batches) = std::sync::mpsc::sync_channel(BATCHES_MAX);
        let feeder = Feeder::new(
            Parts {
                shared: Arc::clone(&shared),
                source: Arc::clone(&source),
                runtime: tokio::runtime::Handle::current(),
                commands: batches,
                writer: to_writer.downgrade(),
                readers: readers.clone(),
                slot: Arc::clone(&slot),
                lock: Arc::clone(&lock),
            },
            text,
        );
        let writer = Writer {
            connection: facts,
            shared: Arc::clone(&shared),
            commands,
            feed: to_feeder,
            trimmed: seq,
            _lock: lock,
        };
        let threads = vec![
            thread("store-writer", move || writer.run())?,
            thread("store-feeder", move || feeder.run())?,
        ];
        for finding in &findings {
            tracing::warn!(finding, "the index was damaged");
        }
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                source,
                readers,
                slot,
                counts: Mutex::default(),
                vectors: OnceLock::new(),
                writer: Some(to_writer),
                threads: Mutex::new(threads),
                recovered: findings,
            }),
        })
    }

    /// Opens an index that another process may be writing; this store only answers questions.
    ///
    /// # Errors
    /// When there is no index, or it cannot be read; see [`OpenError`].
    pub async fn open_read_only(
        config: StoreConfig,
        source: Arc<dyn NoteSource>,
    ) -> Result<Self, OpenError> {
        let opening = config.clone();
        let index = blocking(move || {
            open::facts::open_read_only(&opening)?;
            open::text::open_read_only(&opening)
        })
        .await??;
        let shared = Arc::new(Shared::new(config, false));
        Ok(Self {
            inner: Arc::new(Inner {
                source,
                readers: Readers::new(Arc::clone(&shared)),
                slot: Arc::new(Mutex::new(index)),
                counts: Mutex::default(),
                vectors: OnceLock::new(),
                shared,
                writer: None,
                threads: Mutex::default(),
                recovered: Vec::new(),
            }),
        })
    }

    /// Lets searches go by meaning too, with vectors that `engine` makes.
    ///
    /// Vectors are made in the background while the service of this store runs, from blocks that
    /// have none. Without a model everything works by words, and answers say so; a model that is
    /// installed later is picked up. Call it before the service is started; a second engine is
    /// ignored.
    pub fn use_embeddings(&self, engine: Arc<dyn InferenceEngine>) {
        let dir = self.inner.shared.config.vectors_dir();
        let vectors = Arc::new(Vectors::new(engine, dir, self.is_writing()));
        if self.inner.vectors.set(vectors).is_err() {
            tracing::warn!("the store has an inference engine already; the second is ignored");
        }
    }

    /// The vectors, when there is an engine to make them.
    pub(crate) fn vectors(&self) -> Option<&Arc<Vectors>> {
        self.inner.vectors.get()
    }

    /// Returns what was found damaged at open, where it was moved, and what is being rebuilt, in
    /// sentences for a person.
    #[must_use]
    pub fn recovered(&self) -> Vec<String> {
        self.inner.recovered.clone()
    }

    /// Finishes what was accepted, commits the text index and gives the files back.
    ///
    /// Later calls on any clone are refused.
    pub async fn close(&self) {
        if let Some(vectors) = self.vectors() {
            vectors.close();
        }
        if let Some(writer) = &self.inner.writer {
            // Fails only when the writer has ended.
            let _ended = tokio::time::timeout(CLOSE_DEADLINE, writer.send(Command::Close)).await;
        }
        let threads = std::mem::take(&mut *lock(&self.inner.threads));
        let joined = spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the store panicked");
                }
            }
        });
        if tokio::time::timeout(CLOSE_DEADLINE, joined).await.is_err() {
            tracing::warn!(
                deadline_s = CLOSE_DEADLINE.as_secs(),
                "the store did not close in time; the rest is indexed at the next start"
            );
            return; // the threads keep the lock until they have ended
        }
        self.inner.readers.clear();
    }

    /// The text index as it is now.
    pub(crate) fn text(&self) -> Arc<TextIndex> {
        Arc::clone(&lock(&self.inner.slot))
    }

    /// Says whether this store may write.
    pub(crate) fn is_writing(&self) -> bool {
        self.inner.writer.is_some()
    }

    /// Gives the writer a command and waits for its answer.
    pub(crate) async fn command<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let Some(writer) = &self.inner.writer else {
            return Err(Error::Unavailable {
                reason: "this store only reads; changes go through the crucible that serves the \
                         vault"
                    .to_owned(),
            });
        };
        let closed = || Error::Unavailable {
            reason: "the store is closed".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            writer.send(command(reply)).await.map_err(|_| closed())?;
            answer.await.map_err(|_| closed())?
        };
        tokio::time::timeout(COMMAND_DEADLINE, exchange)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Error::Unavailable {
                    reason: format!(
                        "the store did not answer within {} s; check the disk",
                        COMMAND_DEADLINE.as_secs()
                    ),
                })
            })
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| OpenError::Failed(format!("a thread could not be started ({error})")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, OpenError> {
    spawn_blocking(work)
        .await
        .map_err(|error| OpenError::Failed(format!("opening broke off ({error})")))
}

#[cfg(test)]
mod tests;
