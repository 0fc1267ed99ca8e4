//! How long to wait before asking the same provider again, and when not to.
//!
//! Full jitter: a random time between nothing and a bound that doubles, so that callers who
//! failed together do not come back together.
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>)

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often to ask again, and after how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// How often one request is sent at most, the first time included; 3.
    pub attempts_max: u32,
    /// The bound of the first wait; doubles each time; 500 ms.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wait_first: Duration,
    /// The longest wait that is chosen here; 8 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wait_max: Duration,
    /// The longest wait that a provider may ask for by `Retry-After`; a longer one is handed on
    /// to the caller instead; 20 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub retry_after_max: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            wait_first: Duration::from_millis(500),
            wait_max: Duration::from_secs(8),
            retry_after_max: Duration::from_secs(20),
        }
    }
}

impl RetryConfig {
    /// Returns how long to wait after `attempts` were made in vain; `None` when that was enough.
    ///
    /// `random` is from 0 to 1, `asked` what the provider asked for: never less is waited.
    pub(crate) fn wait(
        &self,
        attempts: u32,
        random: f64,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        if attempts >= self.attempts_max {
            return None;
        }
        let asked = asked.unwrap_or(Duration::ZERO);
        if asked > self.retry_after_max {
            return None;
        }
        let factor = 1_u32
            .checked_shl(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let bound = self.wait_first.saturating_mul(factor).min(self.wait_max);
        Some(bound.mul_f64(random.clamp(0.0, 1.0)).max(asked))
    }
}

/// Returns a number from 0 to 1 that nobody can predict well enough to come back together.
pub(crate) fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(attempts: u32, random: f64, asked_s: Option<u64>) -> Option<u64> {
        let config = RetryConfig {
            attempts_max: 7,
            ..RetryConfig::default()
        };
        let asked = asked_s.map(Duration::from_secs);
        let wait = config.wait(attempts, random, asked)?;
        Some(u64::try_from(wait.as_millis()).unwrap())
    }

    #[test]
    fn bound_doubles_up_to_the_longest_and_the_wait_lies_below_it() {
        let bounds: Vec<_> = (1..7).map(|n| wait(n, 1.0, None).unwrap()).collect();
        assert_eq!(bounds, [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(wait(3, 0.25, None), Some(500));
        assert_eq!(wait(3, 0.0, None), Some(0));
    }

    #[test]
    fn enough_attempts_are_enough() {
        assert_eq!(wait(7, 0.5, None), None);
        assert_eq!(wait(u32::MAX, 0.5, Some(1)), None);
    }

    #[test]
    fn what_the_provider_asks_for_is_honoured_up_to_a_bound() {
        assert_eq!(wait(1, 0.0, Some(3)), Some(3000));
        assert_eq!(wait(5, 1.0, Some(3)), Some(8000));
        assert_eq!(wait(1, 0.0, Some(20)), Some(20_000));
        assert_eq!(wait(1, 0.0, Some(21)), None);
    }

    #[test]
    fn random_numbers_differ_and_stay_in_range() {
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|n| (0.0..=1.0).contains(n)));
        assert!(numbers.iter().any(|n| *n < 0.5) && numbers.iter().any(|n| *n > 0.5));
    }
}
