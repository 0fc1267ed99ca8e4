//! When a service that broke down is started again. A pure state machine that is given the time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const DELAY_FIRST: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(30);
/// At most this many restarts ..
const INTENSITY_MAX: usize = 5;
/// .. within this time.
const INTENSITY_WINDOW: Duration = Duration::from_secs(60);
/// How long a service in a crash loop rests before each try.
const LOOP_DELAY: Duration = Duration::from_secs(300);
/// How long a service must run, at least, before its failures are forgotten.
const STABLE_MIN: Duration = Duration::from_secs(60);

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after a while.
    Retry(Duration),
    /// The attempts are used up: try again after a long while.
    Loop(Duration),
}

/// Remembers the failures of one episode.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Attempts in this episode.
    attempts: u32,
    /// When the last attempts were made, oldest first.
    recent: VecDeque<Instant>,
    last_delay: Duration,
}

impl Recovery {
    /// Decides about a failure at `now`. `salt` spreads services that fail together.
    pub(crate) fn failed(&mut self, now: Instant, attempts_max: u32, salt: u64) -> Next {
        let is_old = |at: &Instant| now.duration_since(*at) > INTENSITY_WINDOW;
        while self.recent.front().is_some_and(is_old) {
            self.recent.pop_front();
        }
        if self.attempts >= attempts_max || self.recent.len() >= INTENSITY_MAX {
            self.last_delay = LOOP_DELAY;
            return Next::Loop(LOOP_DELAY);
        }
        let doubled =
            DELAY_FIRST.saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX));
        let delay = jitter(doubled.min(DELAY_MAX), salt ^ u64::from(self.attempts));
        self.attempts += 1;
        self.recent.push_back(now);
        self.last_delay = delay;
        Next::Retry(delay)
    }

    /// Returns how long the service must run before the episode is over.
    pub(crate) fn stable_after(&self) -> Duration {
        // A service that leaves a crash loop has proved itself after the shortest time.
        if self.last_delay >= LOOP_DELAY {
            return STABLE_MIN;
        }
        STABLE_MIN.max(self.last_delay * 10)
    }

    /// Ends the episode.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Lengthens or shortens by up to a quarter.
fn jitter(delay: Duration, salt: u64) -> Duration {
    // SplitMix64 (Steele, Lea and Flood, 2014): well spread from any salt.
    let mut z = salt.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    let permille = u32::try_from(z % 501).unwrap_or(0) + 750;
    delay * permille / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(next: Next, expected: Duration) {
        let Next::Retry(delay) = next else {
            panic!("expected a retry, got {next:?}");
        };
        assert!(
            delay >= expected * 3 / 4 && delay <= expected * 5 / 4,
            "{delay:?} is not within a quarter of {expected:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn delays_double_up_to_the_cap() {
        let mut recovery = Recovery::default();
        let mut now = Instant::now();
        for attempt in 0..12 {
            now += Duration::from_secs(61);
            let expected = Duration::from_millis(100 << attempt).min(DELAY_MAX);
            near(recovery.failed(now, 100, 7), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn episode_has_a_bound_on_attempts() {
        let mut recovery = Recovery::default();
        let now = Instant::now();
        for _ in 0..3 {
            assert!(matches!(recovery.failed(now, 3, 7), Next::Retry(_)));
        }
        assert_eq!(recovery.failed(now, 3, 7), Next::Loop(LOOP_DELAY));
        recovery.reset();
        near(recovery.failed(now, 3, 7), DELAY_FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn many_restarts_in_a_minute_are_a_loop_and_slow_ones_are_not() {
        let start = Instant::now();
        let mut quick = Recovery::default();
        for second in 0..5 {
            let now = start + Duration::from_secs(second);
            assert!(matches!(quick.failed(now, 100, 7), Next::Retry(_)));
        }
        let now = start + Duration::from_secs(6);
        assert_eq!(quick.failed(now, 100, 7), Next::Loop(LOOP_DELAY));
        let mut slow = Recovery::default();
        for at in 0..50 {
            let now = start + Duration::from_secs(at * 20);
            assert!(matches!(slow.failed(now, 100, 7), Next::Retry(_)));
        }
    }

    #[test]
    fn jitter_spreads_by_a_quarter() {
        let delays: Vec<_> = (0..1_000)
            .map(|salt| jitter(Duration::from_secs(1), salt))
            .collect();
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(*least >= Duration::from_millis(750) && *least < Duration::from_millis(760));
        assert!(*most <= Duration::from_millis(1250) && *most > Duration::from_millis(1240));
    }
}
