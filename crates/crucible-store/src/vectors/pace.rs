//! How fast vectors are made: a pure state machine that is given what was measured.
//!
//! Two signs that the machine has other work, both honest and cheap: the engine takes longer for the
//! same amount of text than it is known to need, or the load, where the program that embeds this crate
//! measures it, is high. Then the follower rests as long as it worked, or longer.

use std::time::Duration;

/// How many times its best time a batch may take before the machine counts as busy.
const SLOWER_MAX: f32 = 2.0;
/// What the best time grows by with every batch, so that one lucky measurement does not stay.
const FORGET: f32 = 1.02;
/// The longest rest after one batch.
const REST_MAX: Duration = Duration::from_secs(10);
/// Texts are short or long; what a batch costs whatever its length counts as this many bytes.
const OVERHEAD_BYTES: usize = 512;

/// What is known of the engine's speed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// The best time seen, in seconds per byte.
    best: Option<f32>,
}

impl Pace {
    /// Takes note of a batch of `bytes` that took `elapsed`; returns how long to rest after it.
    pub(super) fn after(&mut self, bytes: usize, elapsed: Duration) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let took = elapsed.as_secs_f32() / (bytes + OVERHEAD_BYTES) as f32;
        let best = self.best.map_or(took, |best| (best * FORGET).min(took));
        self.best = Some(best);
        let slower = took / best.max(f32::MIN_POSITIVE);
        if slower <= SLOWER_MAX {
            return Duration::ZERO;
        }
        elapsed.mul_f32((slower - 1.0).min(10.0)).min(REST_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 10_000;

    #[test]
    fn an_idle_machine_is_used_without_rest() {
        let mut pace = Pace::default();
        for millis in [500, 510, 480, 700, 500] {
            assert_eq!(
                pace.after(BATCH, Duration::from_millis(millis)),
                Duration::ZERO
            );
        }
    }

    #[test]
    fn a_busy_machine_is_left_the_more_time_the_busier_it_is() {
        let mut pace = Pace::default();
        pace.after(BATCH, Duration::from_millis(500));
        let busy = pace.after(BATCH, Duration::from_millis(1500));
        let busier = pace.after(BATCH, Duration::from_millis(2500));
        assert!(busy >= Duration::from_millis(1500), "{busy:?}");
        assert!(busier > busy && busier <= REST_MAX, "{busier:?}");
        assert_eq!(pace.after(BATCH, Duration::from_secs(900)), REST_MAX);
    }

    #[test]
    fn a_machine_that_stays_slow_is_used_again_after_a_while() {
        let mut pace = Pace::default();
        pace.after(BATCH, Duration::from_millis(100));
        let slow = Duration::from_millis(400);
        let rests = (0..200).take_while(|_| pace.after(BATCH, slow) > Duration::ZERO);
        assert!(rests.count() < 60);
    }
}
