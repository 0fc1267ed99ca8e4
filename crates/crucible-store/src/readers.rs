//! A few read connections, used on blocking threads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crucible_services::data_store::Error;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::shared::Shared;

/// How long a question waits for a connection before it is refused.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a connection waits for a lock of another process.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a question was not answered: SQLite, or an answer that is an error.
#[derive(Debug)]
pub(crate) enum Fault {
    Sqlite(rusqlite::Error),
    Answer(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Answer(error)
    }
}

/// The read connections of a store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    shared: Arc<Shared>,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            inner: Arc::new(Inner {
                path: shared.config.facts_path(),
                permits: Semaphore::new(shared.config.readers_max.max(1)),
                idle: Mutex::default(),
                shared,
            }),
        }
    }

    /// Runs `question` on a blocking thread, against one snapshot of the tables.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let acquired = tokio::time::timeout(WAIT_MAX, self.inner.permits.acquire()).await;
        let Ok(Ok(_permit)) = acquired else {
            return Err(Error::Unavailable {
                reason: format!(
                    "too many questions at once; none was answered for {} s",
                    WAIT_MAX.as_secs()
                ),
            });
        };
        let readers = self.clone();
        tokio::task::spawn_blocking(move || readers.read_now(question))
            .await
            .unwrap_or_else(|error| {
                Err(Error::Internal {
                    message: format!("a question broke off: {error}"),
                })
            })
    }

    /// Runs `question` on this thread, which it blocks.
    pub(crate) fn read_now<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let connection = match self.take() {
            Some(connection) => connection,
            None => open_for_reading(&self.inner.path).map_err(|error| self.error(&error))?,
        };
        let answer = connection
            .unchecked_transaction()
            .map_err(Fault::from)
            .and_then(|snapshot| question(&snapshot));
        match answer {
            Ok(answer) => {
                self.put(connection);
                Ok(answer)
            }
            Err(Fault::Answer(error)) => {
                self.put(connection);
                Err(error)
            }
            Err(Fault::Sqlite(error)) => Err(self.error(&error)),
        }
    }

    /// Closes the idle connections.
    pub(crate) fn clear(&self) {
        self.idle().clear();
    }

    fn error(&self, error: &rusqlite::Error) -> Error {
        self.inner.shared.sqlite_error(error)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.inner
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Connection> {
        self.idle().pop()
    }

    fn put(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < self.inner.shared.config.readers_max.max(1) {
            idle.push(connection);
        }
    }
}

/// Opens a connection that cannot write.
pub(crate) fn open_for_reading(path: &std::path::Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "cache_size", -8 * 1024)?;
    Ok(connection)
}
