//! State that cannot be derived from notes, in a file of its own: tokens, grants, script values.
//!
//! Apart from the index in every way: nothing here is ever replaced or dropped by itself. One
//! thread writes, several writes that wait together share one sync of the disk, and a write is
//! answered when it is on disk. `open` makes and checks the file, `writer` is the thread.

mod open;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::state_store::{Error, StateStore, StateWrite, check_sizes};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use crate::store::lock;
pub use open::StateFileError;
use writer::{Job, WAITING_MAX};

/// How long a write waits for its turn and for the disk.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// A file that keeps small values for good. Cheap to clone; other processes may use the same file
/// at the same time.
#[derive(Clone)]
pub struct StateFile {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: mpsc::Sender<Job>,
    reader: Mutex<Connection>,
}

impl fmt::Debug for StateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateFile")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl StateFile {
    /// Opens the file at `path`, which only its owner may read; creates it when it is missing.
    /// Blocks.
    ///
    /// # Errors
    /// When the file is damaged, of a newer version, or refused by the system: the file is left as
    /// it is, and [`StateFileError`] names it and the cure.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateFileError> {
        let path = path.into();
        let connection = open::open(&path)?;
        let reader = open::open_for_reading(&path)?;
        let (writer, jobs) = mpsc::channel(WAITING_MAX);
        let of = path.clone();
        std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || writer::run(connection, jobs, &of))
            .map_err(|source| StateFileError::Refused {
                path: path.clone(),
                source,
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                writer,
                reader: Mutex::new(reader),
            }),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        spawn_blocking(move || {
            question(&lock(&inner.reader)).map_err(|error| writer::failed(&inner.path, &error))
        })
        .await
        .unwrap_or_else(|error| Err(Error::Failed(format!("reading broke off: {error}"))))
    }
}

#[async_trait]
impl StateStore for StateFile {
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT value FROM state WHERE namespace = ?1 AND key = ?2")?
                .query_row((namespace, key), |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn write(&self, namespace: &str, writes: Vec<StateWrite>) -> Result<(), Error> {
        check_sizes(namespace, &writes)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            namespace: namespace.to_owned(),
            writes,
            reply,
        };
        let ended = || {
            Error::Failed(format!(
                "{} is not being written any more; restart crucible",
                self.inner.path.display()
            ))
        };
        let exchange = async {
            self.inner.writer.send(job).await.map_err(|_| ended())?;
            answer.await.map_err(|_| ended())?
        };
        tokio::time::timeout(WRITE_DEADLINE, exchange)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Error::Failed(format!(
                    "{} was not written within {} s, and may be yet; check the disk",
                    self.inner.path.display(),
                    WRITE_DEADLINE.as_secs()
                )))
            })
    }

    async fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        let after = after.map(str::to_owned);
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key, value FROM state WHERE namespace = ?1 AND key >= ?2 \
                 AND (?3 IS NULL OR key > ?3) ORDER BY key LIMIT ?4",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows = statement.query((namespace, &prefix, after, limit))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                // Keys with the prefix stand together, and first.
                if !key.starts_with(&prefix) {
                    break;
                }
                found.push((key, row.get(1)?));
            }
            Ok(found)
        })
        .await
    }

    async fn size_bytes(&self, namespace: &str) -> Result<u64, Error> {
        let namespace = namespace.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0) \
                     FROM state WHERE namespace = ?1",
                )?
                .query_row([namespace], |row| {
                    row.get::<_, i64>(0).map(i64::cast_unsigned)
                })
        })
        .await
    }
}
