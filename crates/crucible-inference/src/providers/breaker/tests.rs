use super::*;

/// A breaker and a clock that only the test moves.
struct Rig {
    breaker: Breaker,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        Self {
            breaker: Breaker::new(BreakerConfig {
                failures_in_a_row: 3,
                ..BreakerConfig::default()
            }),
            now: Instant::now(),
        }
    }

    fn call(&mut self, verdict: Verdict) {
        let ticket = self.breaker.admit(self.now).unwrap();
        self.breaker.settle(ticket, verdict, self.now, 1.0);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn state(&self) -> BreakerState {
        self.breaker.state(self.now)
    }

    fn opened() -> Self {
        let mut rig = Self::new();
        for _ in 0..3 {
            rig.call(Verdict::Failed);
        }
        assert_eq!(rig.state(), BreakerState::Open);
        rig
    }
}

#[test]
fn failures_in_a_row_open_it_and_an_answer_between_them_does_not() {
    let mut rig = Rig::new();
    for verdict in [
        Verdict::Failed,
        Verdict::Failed,
        Verdict::Answered,
        Verdict::Failed,
        Verdict::Unknown,
        Verdict::Failed,
    ] {
        rig.call(verdict);
        assert_eq!(rig.state(), BreakerState::Closed);
    }
    rig.call(Verdict::Failed);
    assert_eq!(rig.state(), BreakerState::Open);
    assert_eq!(
        rig.breaker.admit(rig.now).unwrap_err(),
        Duration::from_secs(1)
    );
}

#[test]
fn half_of_enough_calls_failing_opens_it() {
    let mut rig = Rig::new();
    for _ in 0..4 {
        rig.call(Verdict::Failed);
        rig.call(Verdict::Answered);
    }
    rig.call(Verdict::Answered);
    assert_eq!(rig.state(), BreakerState::Closed);
    rig.call(Verdict::Failed);
    assert_eq!(rig.state(), BreakerState::Open);
}

#[test]
fn failures_older_than_the_window_are_forgotten() {
    let mut rig = Rig::new();
    for _ in 0..4 {
        rig.call(Verdict::Failed);
        rig.call(Verdict::Answered);
    }
    rig.pass(BUCKET * 10);
    rig.call(Verdict::Answered);
    rig.call(Verdict::Failed);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[test]
fn after_the_rest_one_probe_goes_through_and_its_answer_closes() {
    let mut rig = Rig::opened();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.state(), BreakerState::HalfOpen);
    let probe = rig.breaker.admit(rig.now).unwrap();
    assert_eq!(rig.breaker.admit(rig.now).unwrap_err(), Duration::ZERO);
    rig.breaker.settle(probe, Verdict::Answered, rig.now, 1.0);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[test]
fn each_failed_probe_doubles_the_rest_up_to_the_longest() {
    let mut rig = Rig::opened();
    let mut rests = Vec::new();
    for _ in 0..8 {
        let rest = rig.breaker.admit(rig.now).unwrap_err();
        rests.push(rest.as_secs());
        rig.pass(rest);
        rig.call(Verdict::Failed);
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn rest_is_spread_between_half_and_all() {
    for (random, millis) in [(0.0, 500), (0.5, 750), (1.0, 1000)] {
        let mut rig = Rig::new();
        for _ in 0..3 {
            let ticket = rig.breaker.admit(rig.now).unwrap();
            rig.breaker.settle(ticket, Verdict::Failed, rig.now, random);
        }
        let rest = rig.breaker.admit(rig.now).unwrap_err();
        assert_eq!(rest, Duration::from_millis(millis));
    }
}

#[test]
fn probe_that_tells_nothing_gives_its_place_to_the_next() {
    let mut rig = Rig::opened();
    rig.pass(Duration::from_secs(1));
    rig.call(Verdict::Unknown);
    assert_eq!(rig.state(), BreakerState::HalfOpen);
    rig.call(Verdict::Answered);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[test]
fn late_results_of_an_earlier_state_are_ignored() {
    let mut rig = Rig::new();
    let late_good = rig.breaker.admit(rig.now).unwrap();
    let late_bad = rig.breaker.admit(rig.now).unwrap();
    for _ in 0..3 {
        rig.call(Verdict::Failed);
    }
    rig.pass(Duration::from_secs(1));
    let probe = rig.breaker.admit(rig.now).unwrap();
    rig.breaker
        .settle(late_good, Verdict::Answered, rig.now, 1.0);
    assert_eq!(rig.state(), BreakerState::HalfOpen);
    rig.breaker.settle(late_bad, Verdict::Failed, rig.now, 1.0);
    assert_eq!(rig.state(), BreakerState::HalfOpen);
    rig.breaker.settle(probe, Verdict::Answered, rig.now, 1.0);
    assert_eq!(rig.state(), BreakerState::Closed);
}

#[test]
fn probe_that_has_begun_to_be_answered_closes_and_still_counts_at_its_end() {
    let mut rig = Rig::opened();
    rig.pass(Duration::from_secs(1));
    let probe = rig.breaker.admit(rig.now).unwrap();
    let rest = rig.breaker.begun(probe);
    assert_eq!(rig.state(), BreakerState::Closed);
    rig.breaker.settle(rest, Verdict::Failed, rig.now, 1.0);
    rig.call(Verdict::Failed);
    rig.call(Verdict::Failed);
    assert_eq!(rig.state(), BreakerState::Open);
}
