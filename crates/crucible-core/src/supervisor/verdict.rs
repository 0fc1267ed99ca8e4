//! What a row of health checks amounts to. A pure state machine.

use crucible_services::health::{HealthStatus, ServiceHealth};

/// Bad answers in a row before a service counts as unhealthy.
const BAD_MAX: u32 = 3;
/// Good answers in a row before an unhealthy one counts as healthy.
const GOOD_MIN: u32 = 2;

/// The verdict on one run of a service. The first answer decides alone.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    shown: ServiceHealth,
    bad: u32,
    good: u32,
}

impl Verdict {
    /// Takes an answer in and says whether the verdict has another status now.
    pub(crate) fn take(&mut self, answer: &ServiceHealth) -> bool {
        let before = self.shown.status;
        let is_good = matches!(
            answer.status,
            HealthStatus::Healthy | HealthStatus::Degraded
        );
        if is_good {
            self.good += 1;
            self.bad = 0;
        } else {
            self.bad += 1;
            self.good = 0;
        }
        let turns = match before {
            HealthStatus::Unknown => true,
            HealthStatus::Unhealthy => !is_good || self.good >= GOOD_MIN,
            HealthStatus::Healthy | HealthStatus::Degraded => is_good || self.bad >= BAD_MAX,
        };
        if turns {
            self.shown = answer.clone();
            if !is_good {
                self.shown.status = HealthStatus::Unhealthy;
            }
        } else {
            let words = answer.message.as_deref().unwrap_or("no reason given");
            let (count, needed, word) = if is_good {
                (self.good, GOOD_MIN, "good")
            } else {
                (self.bad, BAD_MAX, "bad")
            };
            let note = format!("the last answer was {word} ({count} of {needed}): {words}");
            self.shown.message = Some(note);
        }
        self.shown.status != before
    }

    /// Returns the verdict, with the words behind it.
    pub(crate) const fn health(&self) -> &ServiceHealth {
        &self.shown
    }

    /// Says whether the service has been bad for long enough to be started again.
    pub(crate) const fn is_beyond_hope(&self) -> bool {
        self.bad >= BAD_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds answers (`g`ood, `d`egraded, `b`ad) and compares the verdicts after each.
    fn check(answers: &str, expected: &str) {
        let mut verdict = Verdict::default();
        let mut found = String::new();
        for answer in answers.chars() {
            verdict.take(&match answer {
                'g' => ServiceHealth::healthy(),
                'd' => ServiceHealth::degraded("slow"),
                _ => ServiceHealth::unhealthy("dead"),
            });
            found.push(match verdict.health().status {
                HealthStatus::Healthy => 'g',
                HealthStatus::Degraded => 'd',
                HealthStatus::Unhealthy => 'b',
                HealthStatus::Unknown => '?',
            });
        }
        assert_eq!(found, expected, "{answers}");
    }

    #[test]
    fn three_bad_turn_it_and_two_good_turn_it_back() {
        check("gbbgbbb", "ggggggb");
        check("gbbbgbgg", "gggbbbbg");
        check("gdg", "gdg");
        check("b", "b");
        check("bgg", "bbg");
    }

    #[test]
    fn only_a_row_of_bad_answers_is_beyond_hope() {
        let mut verdict = Verdict::default();
        let bad = ServiceHealth::unhealthy("dead");
        verdict.take(&bad);
        verdict.take(&bad);
        assert!(!verdict.is_beyond_hope());
        verdict.take(&bad);
        assert!(verdict.is_beyond_hope());
    }
}
