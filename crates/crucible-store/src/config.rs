//! What can be set about a store.

use std::path::PathBuf;
use std::time::Duration;

/// Where a store keeps its index, and how it trades speed against freshness.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreConfig {
    /// The folder of the index; created when missing. Everything in it is derived from the notes
    /// and may be deleted while no store has it open.
    pub index_dir: PathBuf,
    /// How long after the last change the text index is committed, so that search sees it.
    pub text_commit_delay: Duration,
    /// The longest that a change waits for its commit while others keep coming.
    pub text_commit_delay_max: Duration,
    /// Memory that the text index may collect documents in before it writes them, in bytes.
    pub text_memory_bytes: usize,
    /// How many questions are answered side by side; the next one waits.
    pub readers_max: usize,
    /// How long a search waits for its query to be embedded; then it goes by words only.
    pub query_embedding_deadline: Duration,
    /// How often the inference engine is asked for its model while it has none.
    pub embedding_poll: Duration,
    /// How long to wait after blocks could not be embedded; longer after every further failure.
    pub embedding_retry: Duration,
    /// Returns the load of the machine for each of its cores, 1.0 when all are just busy; `None`
    /// where it is not known. While it is high no vectors are made.
    pub load_per_core: fn() -> Option<f32>,
}

impl StoreConfig {
    /// Creates the default configuration for an index in `index_dir`.
    #[must_use]
    pub fn new(index_dir: impl Into<PathBuf>) -> Self {
        Self {
            index_dir: index_dir.into(),
            text_commit_delay: Duration::from_millis(60),
            text_commit_delay_max: Duration::from_millis(400),
            text_memory_bytes: 128 * 1024 * 1024,
            readers_max: 4,
            query_embedding_deadline: Duration::from_millis(1500),
            embedding_poll: Duration::from_secs(5),
            embedding_retry: Duration::from_millis(500),
            load_per_core: || None,
        }
    }

    /// The file that holds the facts.
    pub(crate) fn facts_path(&self) -> PathBuf {
        self.index_dir.join("facts.db")
    }

    /// The folder that holds the text index.
    pub(crate) fn text_dir(&self) -> PathBuf {
        self.index_dir.join("text")
    }

    /// The folder that holds the vectors.
    pub(crate) fn vectors_dir(&self) -> PathBuf {
        self.index_dir.join("vectors")
    }

    /// The file that is locked by the one store that writes.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.index_dir.join("lock")
    }

    /// The file that says that the facts were closed whole.
    pub(crate) fn seal_path(&self) -> PathBuf {
        self.index_dir.join("facts.sealed")
    }

    /// The file whose presence says that the facts were found damaged while in use.
    pub(crate) fn doubt_path(&self) -> PathBuf {
        self.index_dir.join("facts.damaged")
    }
}
