//! What can be set about writing.

use std::time::Duration;

/// How a vault is written. [`WriterConfig::default`] has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterConfig {
    /// How many changes are remembered and can be undone; 10,000. The oldest is dropped first.
    pub history_changes_max: usize,
    /// How many bytes of former content are kept, each content once; 512 MiB. The oldest change
    /// is dropped first; the newest is kept whatever its size.
    pub history_bytes_max: u64,
    /// How many requests may wait; 64. One more waits for room, and is refused after
    /// [`WriterConfig::deadline`].
    pub queue_max: usize,
    /// How long one request may take, waiting included; 30 s. A change that is being made when it
    /// passes is finished all the same; the error says so.
    pub deadline: Duration,
    /// How many other notes one move may rewrite; 5,000.
    pub relinked_max: usize,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self {
            history_changes_max: 10_000,
            history_bytes_max: 512 * 1024 * 1024,
            queue_max: 64,
            deadline: Duration::from_secs(30),
            relinked_max: 5_000,
        }
    }
}
