//! The one place that asks what time it is.
//!
//! Wall-clock time (for stamps that people read) comes from here; durations are measured with
//! `tokio::time::Instant`, which tests can pause.

use jiff::Timestamp;

/// Returns the current wall-clock time.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}
