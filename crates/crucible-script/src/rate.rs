//! How often something may happen: a bucket of tokens that fills with time.

use std::time::Duration;

use tokio::time::Instant;

/// Allows so many things a minute, and all of them at once after a quiet minute.
#[derive(Debug)]
pub(crate) struct Rate {
    per_minute: f64,
    tokens: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(per_minute: u32, now: Instant) -> Self {
        let per_minute = f64::from(per_minute);
        Self {
            per_minute,
            tokens: per_minute,
            at: now,
        }
    }

    /// Says whether one more thing may happen at `now`, and counts it.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        let filled = passed.div_duration_f64(Duration::from_secs(60)) * self.per_minute;
        self.tokens = (self.tokens + filled).min(self.per_minute);
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_bounded_and_time_brings_more() {
        let start = Instant::now();
        let mut rate = Rate::new(60, start);
        let taken = (0..100).filter(|_| rate.take(start)).count();
        assert_eq!(taken, 60);
        assert!(rate.take(start + Duration::from_secs(1)));
        assert!(!rate.take(start + Duration::from_secs(1)));
    }
}
