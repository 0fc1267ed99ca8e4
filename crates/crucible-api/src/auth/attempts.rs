//! How often somebody may guess wrong: a bucket that refills, and the tokens that were good before.
//!
//! Everyone is at the same address on a loopback socket, so that attempts are counted together.
//! Tokens that were good go on being looked up while guesses are refused unseen: a flood of wrong
//! tokens costs neither the disk nor the people who work.

use std::collections::VecDeque;

use tokio::time::Instant;

/// How many wrong attempts may come at once.
const BURST: f64 = 32.0;
/// How many may come per second for long.
const PER_SECOND: f64 = 1.0;
/// How many good tokens are remembered; the oldest go first.
const GOOD_MAX: usize = 256;

/// Counts wrong attempts.
#[derive(Debug)]
pub(super) struct Attempts {
    left: f64,
    at: Option<Instant>,
    good: VecDeque<blake3::Hash>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            left: BURST,
            at: None,
            good: VecDeque::new(),
        }
    }
}

impl Attempts {
    /// Says whether it is worth looking for a token.
    pub(super) fn may_look_up(&mut self, hash: &blake3::Hash, now: Instant) -> bool {
        self.refill(now);
        self.left >= 1.0 || self.good.contains(hash)
    }

    /// Remembers a token that was good.
    pub(super) fn was_good(&mut self, hash: blake3::Hash) {
        if self.good.contains(&hash) {
            return;
        }
        if self.good.len() == GOOD_MAX {
            self.good.pop_front();
        }
        self.good.push_back(hash);
    }

    /// Counts a wrong attempt; false when there were too many lately.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        self.refill(now);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }

    fn refill(&mut self, now: Instant) {
        let since = self
            .at
            .map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.left = since.mul_add(PER_SECOND, self.left).min(BURST);
        self.at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_run_out_and_come_back() {
        let mut attempts = Attempts::default();
        let begun = Instant::now();
        let spent = (0..100).filter(|_| attempts.spend(begun)).count();
        assert_eq!(spent, 32);
        let later = begun + Duration::from_secs(3);
        assert_eq!((0..100).filter(|_| attempts.spend(later)).count(), 3);
        let long_after = begun + Duration::from_secs(100_000);
        assert_eq!((0..100).filter(|_| attempts.spend(long_after)).count(), 32);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_were_good_are_looked_up_while_guesses_are_not() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        let (good, other) = (blake3::hash(b"good"), blake3::hash(b"other"));
        attempts.was_good(good);
        while attempts.spend(now) {}
        assert!(attempts.may_look_up(&good, now));
        assert!(!attempts.may_look_up(&other, now));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut attempts = Attempts::default();
        for number in 0..10_000_u32 {
            attempts.was_good(blake3::hash(&number.to_le_bytes()));
        }
        assert_eq!(attempts.good.len(), GOOD_MAX);
    }
}
