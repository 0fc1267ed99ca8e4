//! Whose turn it is to tell the index: the one that follows the folder, or the one that writes.
//!
//! A writer changes a file and tells the index at once, with the cause. Meanwhile the follower may
//! have looked at that file a moment earlier, and would tell the index what it saw: old content
//! over new, or the new content as somebody else's doing. So both tell the index in turns, and
//! the follower drops what it saw of a path that was written since its look began, and looks again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most written paths that are remembered; then every path counts as written.
const PATHS_MAX: usize = 16_384;

/// Shared by all clones of one [`VaultFolder`](crate::VaultFolder).
#[derive(Debug, Default)]
pub(crate) struct Turn {
    lane: tokio::sync::Mutex<()>,
    ledger: Mutex<Ledger>,
}

/// When each path was last written, counted in writes.
#[derive(Debug, Default)]
struct Ledger {
    writes: u64,
    /// Before this, nothing is known of single paths.
    floor: u64,
    paths: HashMap<String, u64>,
}

/// A moment in the count of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

/// The turn itself; it ends when this is dropped.
pub(crate) type Held<'a> = tokio::sync::MutexGuard<'a, ()>;

impl Turn {
    /// Waits for the turn; first come, first served. Cancel safe.
    pub(crate) async fn take(&self) -> Held<'_> {
        self.lane.lock().await
    }

    /// Returns the present moment: what is looked at from now on is as new as the writes so far.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.ledger().writes)
    }

    /// Notes that paths were written and the index was told; the turn must be held.
    pub(crate) fn written<'p>(&self, paths: impl Iterator<Item = &'p str>) {
        let mut ledger = self.ledger();
        ledger.writes += 1;
        let now = ledger.writes;
        for path in paths {
            if ledger.paths.len() >= PATHS_MAX {
                ledger.paths.clear();
                ledger.floor = now;
            }
            ledger.paths.insert(path.to_owned(), now);
        }
    }

    /// Says whether `path` was written after `moment`.
    pub(crate) fn is_written_since(&self, path: &str, moment: Moment) -> bool {
        let ledger = self.ledger();
        moment.0 < ledger.floor || ledger.paths.get(path).is_some_and(|at| *at > moment.0)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_older_than_the_writes_after_it() {
        let turn = Turn::default();
        let before = turn.now();
        turn.written(["a.md"].into_iter());
        assert!(turn.is_written_since("a.md", before));
        assert!(!turn.is_written_since("b.md", before));
        assert!(!turn.is_written_since("a.md", turn.now()));
    }

    #[test]
    fn when_too_many_paths_are_known_all_count_as_written() {
        let turn = Turn::default();
        let before = turn.now();
        let paths: Vec<String> = (0..=PATHS_MAX).map(|number| number.to_string()).collect();
        turn.written(paths.iter().map(String::as_str));
        assert!(turn.is_written_since("0", before));
        assert!(turn.is_written_since("never", before));
        assert!(!turn.is_written_since("0", turn.now()));
    }
}
