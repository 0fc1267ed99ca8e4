//! Stops asking a provider that is broken, and finds out when it is well again.
//!
//! A pure state machine: it is told the time and a random number, and does no I/O, so it can guard
//! anything. It knows nothing of providers.
//!
//! ```text
//!             too many failures                 rest is over
//!   closed ───────────────────────> open ───────────────────────> half-open
//!     ^                              ^  (longer each time)            │
//!     │                              └──────── a probe fails ─────────┤
//!     └─────────────────────── a probe is answered ───────────────────┘
//! ```
//!
//! It opens after [`BreakerConfig::failures_in_a_row`], or when at least half of the last minute's
//! calls failed and there were enough of them to tell. Results of calls that were let through
//! before the state changed are ignored: they tell about the past.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How many buckets the window has.
const BUCKETS: usize = 10;
/// How much time one bucket holds.
const BUCKET: Duration = Duration::from_secs(6);
/// With fewer calls in the window than this, their share of failures says nothing.
const SAMPLES_MIN: u32 = 10;

/// When a breaker opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// How many failures without an answer in between open it; 5.
    pub failures_in_a_row: u32,
    /// How long it stays open the first time; doubles each time that a probe fails; 1 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_first: Duration,
    /// The longest that it stays open before the next probe; 60 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rest_max: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures_in_a_row: 5,
            rest_first: Duration::from_secs(1),
            rest_max: Duration::from_secs(60),
        }
    }
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was answered, be it with a refusal.
    Answered,
    /// It was not answered, or not with sense.
    Failed,
    /// It tells nothing: the caller went away, or the other side asked to wait.
    Unknown,
}

/// Leave to make one call, to be settled with what became of it.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    epoch: u64,
}

/// What the breaker does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets calls through.
    Closed,
    /// Refuses calls.
    Open,
    /// Lets one call through, to see.
    HalfOpen,
}

/// Guards one provider.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Changes with the state, so that late results are known as such.
    epoch: u64,
    /// How often it has opened since it was last closed.
    openings: u32,
    in_a_row: u32,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { is_probing: bool },
}

impl Breaker {
    /// Creates a closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            state: State::Closed,
            epoch: 0,
            openings: 0,
            in_a_row: 0,
            window: Window::default(),
        }
    }

    /// Returns leave to make a call, or how long to wait before asking again.
    ///
    /// # Errors
    /// The time that is left of the rest; zero while a probe is under way.
    pub fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        if let State::Open { until } = self.state {
            let left = until.saturating_duration_since(now);
            if !left.is_zero() {
                return Err(left);
            }
            self.enter(State::HalfOpen { is_probing: false });
        }
        match &mut self.state {
            State::HalfOpen { is_probing: true } => Err(Duration::ZERO),
            State::HalfOpen { is_probing } => {
                *is_probing = true;
                Ok(Ticket { epoch: self.epoch })
            }
            State::Closed | State::Open { .. } => Ok(Ticket { epoch: self.epoch }),
        }
    }

    /// Takes note that a call, which goes on, has begun to be answered: a probe has seen enough.
    pub fn begun(&mut self, ticket: Ticket) -> Ticket {
        if ticket.epoch == self.epoch && matches!(self.state, State::HalfOpen { .. }) {
            self.close();
            return Ticket { epoch: self.epoch };
        }
        ticket
    }

    /// Takes note of what became of a call; `random` is from 0 to 1.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is settled once")]
    pub fn settle(&mut self, ticket: Ticket, verdict: Verdict, now: Instant, random: f64) {
        if ticket.epoch != self.epoch {
            return;
        }
        match (self.state, verdict) {
            (State::HalfOpen { .. }, Verdict::Answered) => self.close(),
            (State::HalfOpen { .. }, Verdict::Failed) => self.open(now, random),
            (State::HalfOpen { .. }, Verdict::Unknown) => {
                self.state = State::HalfOpen { is_probing: false };
            }
            (State::Closed, Verdict::Answered) => {
                self.in_a_row = 0;
                self.window.count(now, false);
            }
            (State::Closed, Verdict::Failed) => {
                self.in_a_row += 1;
                self.window.count(now, true);
                let is_row = self.in_a_row >= self.config.failures_in_a_row.max(1);
                if is_row || self.window.is_bad() {
                    self.open(now, random);
                }
            }
            (State::Closed, Verdict::Unknown) | (State::Open { .. }, _) => {}
        }
    }

    /// Returns what the breaker does at `now`.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { until } if until > now => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn close(&mut self) {
        self.enter(State::Closed);
        self.openings = 0;
        self.in_a_row = 0;
        self.window = Window::default();
    }

    /// Rests between half and all of the time that has doubled with each opening.
    fn open(&mut self, now: Instant, random: f64) {
        let factor = 1_u32.checked_shl(self.openings).unwrap_or(u32::MAX);
        let longest = self.config.rest_first.saturating_mul(factor);
        let longest = longest.min(self.config.rest_max);
        let rest = longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        self.openings = self.openings.saturating_add(1);
        self.enter(State::Open { until: now + rest });
    }

    const fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

/// What the last minute brought, in buckets, so that old results leave it.
#[derive(Debug, Default)]
struct Window {
    buckets: [Bucket; BUCKETS],
    /// When the newest bucket, the first, began.
    began: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    calls: u32,
    failures: u32,
}

impl Window {
    fn count(&mut self, now: Instant, failed: bool) {
        let began = *self.began.get_or_insert(now);
        let passed = now.saturating_duration_since(began).as_nanos() / BUCKET.as_nanos();
        let passed = usize::try_from(passed).unwrap_or(usize::MAX);
        if passed > 0 {
            self.buckets.rotate_right(passed.min(BUCKETS) % BUCKETS);
            self.buckets[..passed.min(BUCKETS)].fill(Bucket::default());
            self.began = Some(now);
        }
        let bucket = &mut self.buckets[0];
        bucket.calls = bucket.calls.saturating_add(1);
        bucket.failures = bucket.failures.saturating_add(u32::from(failed));
    }

    fn is_bad(&self) -> bool {
        let sum = |of: fn(&Bucket) -> u32| self.buckets.iter().map(of).fold(0, u32::saturating_add);
        let (calls, failures) = (sum(|b| b.calls), sum(|b| b.failures));
        calls >= SAMPLES_MIN && failures.saturating_mul(2) >= calls
    }
}

#[cfg(test)]
mod tests;
