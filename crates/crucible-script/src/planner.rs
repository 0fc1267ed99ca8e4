//! When schedules are due: a state machine that is given the time.
//!
//! A schedule that is still running when its next time comes lets that time pass: calls of one
//! schedule never overlap. Times that passed while nothing looked are made up for once, or not,
//! as the schedule says.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::manifest::{Missed, Schedule, Zone};
use crate::runs::Past;

/// How late a call may begin before its time counts as missed.
const LATE_MAX: Duration = Duration::from_secs(60);

/// Knows the schedules of one script.
#[derive(Debug)]
pub(crate) struct Planner {
    seed: String,
    local: TimeZone,
    lines: Vec<Line>,
}

/// One schedule and where it stands.
#[derive(Debug)]
struct Line {
    schedule: Schedule,
    last: Option<Timestamp>,
    /// The time that the cron line names next.
    due: Option<Timestamp>,
    /// When it begins: `due` and the jitter.
    begins: Option<Timestamp>,
    is_running: bool,
}

/// A call that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Which schedule, in the order of the manifest.
    pub(crate) index: usize,
    /// The time that its cron line named.
    pub(crate) at: Timestamp,
    /// True when it was due while nothing looked.
    pub(crate) is_late: bool,
}

/// What the time brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Calls to make now.
    pub(crate) due: Vec<Due>,
    /// Schedules that are due but still running: this time passes.
    pub(crate) overlapping: Vec<usize>,
}

impl Planner {
    /// Plans from `now` on. `pasts` says what is known of each schedule; `seed` makes the jitter
    /// of one script differ from another's.
    pub(crate) fn new(
        schedules: &[Schedule],
        pasts: &[Past],
        now: Timestamp,
        local: TimeZone,
        seed: impl Into<String>,
    ) -> Self {
        let mut planner = Self {
            seed: seed.into(),
            local,
            lines: Vec::new(),
        };
        for (index, schedule) in schedules.iter().enumerate() {
            let past = pasts.get(index).copied();
            planner.lines.push(Line {
                schedule: schedule.clone(),
                last: past.and_then(|past| past.last),
                due: None,
                begins: None,
                is_running: false,
            });
            let from = match (schedule.missed, past) {
                // A clock that was set back must not make it wait for what it has passed.
                (Missed::Once, Some(past)) => past.last.unwrap_or(past.since).min(now),
                _ => now,
            };
            planner.plan(index, from);
        }
        planner
    }

    /// Returns when to look again; `None` when there is nothing to wait for.
    pub(crate) fn wakes(&self) -> Option<Timestamp> {
        self.lines.iter().filter_map(|line| line.begins).min()
    }

    /// Returns the time of a schedule's next call.
    pub(crate) fn next(&self, index: usize) -> Option<Timestamp> {
        self.lines.get(index)?.due
    }

    /// Returns when a schedule ran last.
    pub(crate) fn last(&self, index: usize) -> Option<Timestamp> {
        self.lines.get(index)?.last
    }

    /// Returns what is due at `now`, and counts it as begun.
    pub(crate) fn turn(&mut self, now: Timestamp) -> Turn {
        let mut turn = Turn::default();
        for index in 0..self.lines.len() {
            let line = &mut self.lines[index];
            let (Some(at), Some(begins)) = (line.due, line.begins) else {
                continue;
            };
            if begins > now {
                continue;
            }
            let is_late = now.duration_since(begins).unsigned_abs() > LATE_MAX;
            let passes = is_late && line.schedule.missed == Missed::Skip;
            if line.is_running {
                turn.overlapping.push(index);
            } else if !passes {
                line.is_running = true;
                line.last = Some(now);
                turn.due.push(Due { index, at, is_late });
            }
            self.plan(index, now);
        }
        turn
    }

    /// Says that a call has ended.
    pub(crate) fn ended(&mut self, index: usize) {
        if let Some(line) = self.lines.get_mut(index) {
            line.is_running = false;
        }
    }

    fn plan(&mut self, index: usize, from: Timestamp) {
        let line = &mut self.lines[index];
        let zone = match line.schedule.zone {
            Zone::Utc => &TimeZone::UTC,
            Zone::Local => &self.local,
        };
        line.due = line.schedule.cron.after(from, zone);
        line.begins = line.due.map(|due| {
            let seed = format!("{}\0{index}\0{due}", self.seed);
            let jitter = jitter(&seed, line.schedule.jitter);
            due.checked_add(jitter).unwrap_or(due)
        });
    }
}

/// Returns a time below `most` that depends on `seed` alone.
fn jitter(seed: &str, most: Duration) -> Duration {
    let hash = blake3::hash(seed.as_bytes());
    let mut low = [0; 4];
    low.copy_from_slice(&hash.as_bytes()[..4]);
    most.mul_f64(f64::from(u32::from_le_bytes(low)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::CronLine;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(cron: &str, missed: Missed, jitter_s: u64) -> Schedule {
        Schedule {
            cron: CronLine::parse(cron).unwrap(),
            zone: Zone::Utc,
            function: "f".to_owned(),
            missed,
            jitter: Duration::from_secs(jitter_s),
        }
    }

    fn planner(schedule: Schedule, last: Option<&str>, now: &str) -> Planner {
        let past = Past {
            since: at(last.unwrap_or(now)),
            last: last.map(at),
        };
        Planner::new(&[schedule], &[past], at(now), TimeZone::UTC, "seed")
    }

    fn due(planner: &mut Planner, now: &str) -> Vec<Timestamp> {
        let turn = planner.turn(at(now));
        for due in &turn.due {
            planner.ended(due.index);
        }
        turn.due.iter().map(|due| due.at).collect()
    }

    #[test]
    fn nothing_is_due_before_its_time_and_each_time_once() {
        let mut planner = planner(
            schedule("0 * * * *", Missed::Skip, 0),
            None,
            "2026-01-01T10:30:00Z",
        );
        assert_eq!(planner.wakes(), Some(at("2026-01-01T11:00:00Z")));
        assert!(due(&mut planner, "2026-01-01T10:59:59Z").is_empty());
        assert_eq!(
            due(&mut planner, "2026-01-01T11:00:00Z"),
            [at("2026-01-01T11:00:00Z")]
        );
        assert!(due(&mut planner, "2026-01-01T11:00:01Z").is_empty());
        assert_eq!(planner.next(0), Some(at("2026-01-01T12:00:00Z")));
        assert_eq!(planner.last(0), Some(at("2026-01-01T11:00:00Z")));
    }

    #[test]
    fn times_that_passed_are_made_up_for_once_or_not() {
        let last = Some("2026-01-01T08:00:00Z");
        let now = "2026-01-01T12:30:00Z";
        let mut once = planner(schedule("0 * * * *", Missed::Once, 0), last, now);
        let turn = once.turn(at(now));
        assert_eq!(turn.due.len(), 1);
        assert!(turn.due[0].is_late);
        assert_eq!(once.next(0), Some(at("2026-01-01T13:00:00Z")));
        let mut skip = planner(schedule("0 * * * *", Missed::Skip, 0), last, now);
        assert_eq!(skip.turn(at(now)), Turn::default());
    }

    #[test]
    fn the_first_start_makes_up_for_nothing() {
        let mut planner = planner(
            schedule("0 * * * *", Missed::Once, 0),
            None,
            "2026-01-01T12:30:00Z",
        );
        assert!(due(&mut planner, "2026-01-01T12:30:00Z").is_empty());
    }

    #[test]
    fn a_machine_that_slept_through_a_time_lets_it_pass_or_makes_up_for_it() {
        let start = "2026-01-01T10:30:00Z";
        let mut skip = planner(schedule("0 * * * *", Missed::Skip, 0), None, start);
        assert!(due(&mut skip, "2026-01-01T15:20:00Z").is_empty());
        assert_eq!(skip.next(0), Some(at("2026-01-01T16:00:00Z")));
        let mut once = planner(schedule("0 * * * *", Missed::Once, 0), None, start);
        assert_eq!(
            due(&mut once, "2026-01-01T15:20:00Z"),
            [at("2026-01-01T11:00:00Z")]
        );
    }

    #[test]
    fn calls_of_one_schedule_never_overlap() {
        let mut planner = planner(
            schedule("0 * * * *", Missed::Skip, 0),
            None,
            "2026-01-01T10:30:00Z",
        );
        assert_eq!(planner.turn(at("2026-01-01T11:00:00Z")).due.len(), 1);
        let turn = planner.turn(at("2026-01-01T12:00:00Z"));
        assert_eq!((turn.due.len(), turn.overlapping), (0, vec![0]));
        planner.ended(0);
        assert_eq!(planner.turn(at("2026-01-01T13:00:00Z")).due.len(), 1);
    }

    #[test]
    fn jitter_delays_within_its_bound_and_is_the_same_every_time() {
        let make = || {
            planner(
                schedule("0 * * * *", Missed::Skip, 30),
                None,
                "2026-01-01T10:30:00Z",
            )
        };
        let wakes = make().wakes().unwrap();
        let hour = at("2026-01-01T11:00:00Z");
        assert!(
            wakes > hour && wakes <= at("2026-01-01T11:00:30Z"),
            "{wakes}"
        );
        assert_eq!(make().wakes(), Some(wakes));
        assert_eq!(make().next(0), Some(hour));
    }

    #[test]
    fn a_clock_set_back_does_not_silence_a_schedule() {
        let last = Some("2027-01-01T00:00:00Z");
        let planner = planner(
            schedule("0 * * * *", Missed::Once, 0),
            last,
            "2026-01-01T10:30:00Z",
        );
        assert_eq!(planner.next(0), Some(at("2026-01-01T11:00:00Z")));
    }
}
