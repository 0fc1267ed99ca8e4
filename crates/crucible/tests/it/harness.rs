//! What the tests stand on: a place with a vault, the real binary, and eyes to watch it with.
//!
//! Every wait has a deadline and says what it waited for; every process is killed when its owner
//! is dropped.

pub(crate) mod daemon;
pub(crate) mod http;
pub(crate) mod place;
pub(crate) mod redact;
pub(crate) mod sse;
pub(crate) mod story;

use std::time::Duration;

pub(crate) use daemon::Daemon;
pub(crate) use place::{Place, copy_folder};
pub(crate) use sse::EventStream;

/// The longest any single wait takes; generous, because it is reached only when a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until `look` returns something.
///
/// # Panics
/// When it still returns nothing at the deadline; `what` says what was waited for.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = tokio::time::Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
