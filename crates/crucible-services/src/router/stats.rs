//! Counters of the router, and snapshots of them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::table::Group;

/// What the router has done since it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RouterStats {
    /// Events that were valid and shown to observers.
    pub routed: u64,
    /// Events that were refused as invalid.
    pub invalid: u64,
    /// Each group, by name.
    pub groups: Vec<GroupStats>,
}

impl RouterStats {
    /// Returns all instances' counters added up; the instance number means nothing then.
    #[must_use]
    pub fn total(&self) -> InstanceStats {
        let mut total = InstanceStats::default();
        let instances = self.groups.iter().flat_map(|group| &group.instances);
        for one in instances {
            total.accepted += one.accepted;
            total.delivered += one.delivered;
            total.rejected += one.rejected;
            total.dropped += one.dropped;
            total.failed += one.failed;
            total.timed_out += one.timed_out;
            total.panicked += one.panicked;
            total.let_go += one.let_go;
            total.queued += one.queued;
            total.handling_p50_us = total.handling_p50_us.max(one.handling_p50_us);
            total.handling_p99_us = total.handling_p99_us.max(one.handling_p99_us);
        }
        total
    }
}

/// What one group has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupStats {
    /// The group's name.
    pub service: String,
    /// Its instances, by number.
    pub instances: Vec<InstanceStats>,
}

/// What one instance has done.
///
/// Once nothing is queued or being handled, `accepted` is the sum of `delivered`, `dropped`,
/// `failed`, `timed_out`, `panicked` and `let_go`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InstanceStats {
    /// The instance's number.
    pub number: u32,
    /// Whether mail is taken out now.
    pub is_delivering: bool,
    /// Events that the mailbox accepted.
    pub accepted: u64,
    /// Events that were handled.
    pub delivered: u64,
    /// Events that the mailbox refused.
    pub rejected: u64,
    /// Accepted events that were thrown away: to make room, or because the service stopped.
    pub dropped: u64,
    /// Events whose handler returned an error.
    pub failed: u64,
    /// Events whose handler did not end in time.
    pub timed_out: u64,
    /// Events whose handler panicked.
    pub panicked: u64,
    /// Events whose handler was let go because the service had to stop.
    pub let_go: u64,
    /// Events that are waiting.
    pub queued: usize,
    /// How many of the last events in a row were not handled.
    pub failing_in_a_row: u32,
    /// Half of all events were handled within this many microseconds: an upper bound, at most
    /// twice the true value.
    pub handling_p50_us: u64,
    /// As `handling_p50_us`, for 99 of 100 events.
    pub handling_p99_us: u64,
}

pub(super) fn of_group(group: &Group) -> GroupStats {
    GroupStats {
        service: group.name.as_str().to_owned(),
        instances: group.slots.iter().map(|slot| slot.stats()).collect(),
    }
}

/// The counters of one slot.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) panicked: AtomicU64,
    pub(super) let_go: AtomicU64,
    pub(super) timing: Timing,
    failing_in_a_row: AtomicU32,
}

impl Counters {
    /// Notes whether the last event was handled. Only the delivery task calls this.
    pub(super) fn note_streak(&self, was_handled: bool) {
        let before = self.failing_in_a_row.load(Ordering::Relaxed);
        let after = if was_handled {
            0
        } else {
            before.saturating_add(1)
        };
        if after != before {
            self.failing_in_a_row.store(after, Ordering::Relaxed);
        }
    }

    pub(super) fn snapshot(
        &self,
        number: u32,
        queued: usize,
        is_delivering: bool,
    ) -> InstanceStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        InstanceStats {
            number,
            is_delivering,
            accepted: read(&self.accepted),
            delivered: read(&self.delivered),
            rejected: read(&self.rejected),
            dropped: read(&self.dropped),
            failed: read(&self.failed),
            timed_out: read(&self.timed_out),
            panicked: read(&self.panicked),
            let_go: read(&self.let_go),
            queued,
            failing_in_a_row: self.failing_in_a_row.load(Ordering::Relaxed),
            handling_p50_us: self.timing.quantile_us(0.50),
            handling_p99_us: self.timing.quantile_us(0.99),
        }
    }
}

/// A histogram of durations whose buckets are powers of two microseconds.
#[derive(Debug, Default)]
pub(super) struct Timing {
    buckets: [AtomicU64; BUCKETS],
}

/// The last bucket takes everything from 2^31 us, about 36 minutes.
const BUCKETS: usize = 32;

impl Timing {
    pub(super) fn record(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // 0 us falls into bucket 0, 1 into 1, 2 and 3 into 2, 4 to 7 into 3, and so on.
        let bucket = (u64::BITS - us.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns an upper bound for the given quantile, at most twice the true value.
    fn quantile_us(&self, quantile: f64) -> u64 {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed))
            .collect();
        let total: u64 = counts.iter().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of events fits, and the product is between 0 and the count"
        )]
        let wanted = ((total as f64) * quantile).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return (1_u64 << bucket) - 1;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_upper_bounds_within_a_factor_of_two() {
        let timing = Timing::default();
        for us in 1..=1_000 {
            timing.record(Duration::from_micros(us));
        }
        assert!((500..1_000).contains(&timing.quantile_us(0.5)));
        assert!((990..2_000).contains(&timing.quantile_us(0.99)));
    }

    #[test]
    fn no_events_have_no_duration() {
        assert_eq!(Timing::default().quantile_us(0.99), 0);
    }

    #[test]
    fn endless_durations_fall_into_the_last_bucket() {
        let timing = Timing::default();
        timing.record(Duration::MAX);
        assert_eq!(timing.quantile_us(0.5), (1 << 31) - 1);
    }
}
