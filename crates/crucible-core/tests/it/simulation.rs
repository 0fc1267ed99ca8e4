//! Random services that fail, hang and panic, under random commands, in simulated time.
//!
//! Each seed is one history that repeats exactly: `CRUCIBLE_SIM_SEED=7` runs that one alone,
//! `CRUCIBLE_SIM_SEEDS=10000` runs more than the usual 200.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crucible_core::*;

use crate::actor::{Actor, Log, Mood, custom, event, to};

/// SplitMix64: small, seeded, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.roll(from.len() as u64);
        &from[usize::try_from(at).unwrap()]
    }

    fn mood(&mut self) -> Mood {
        match self.roll(10) {
            0 => Mood::Fails,
            1 => Mood::Panics,
            2 => Mood::Hangs,
            3 => Mood::Slow(Duration::from_millis(self.roll(20_000))),
            _ => Mood::Well,
        }
    }
}

struct World {
    seed: u64,
    dice: Dice,
    core: CrucibleCore,
    actors: Vec<(Arc<Actor>, Vec<String>)>,
    /// What was done, for whoever reads a failure.
    history: Vec<String>,
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let log = Log::default();
        let core = CrucibleCoreBuilder::new()
            .with_event_queue_size(8)
            .with_health_check_interval(5)
            .build()
            .await
            .unwrap();
        let count = 2 + dice.roll(5);
        let mut actors = Vec::new();
        for number in 0..count {
            let needs: Vec<String> = (0..number)
                .filter(|_| dice.roll(3) == 0)
                .map(|other| format!("s{other}"))
                .collect();
            let names: Vec<&str> = needs.iter().map(String::as_str).collect();
            let actor = Actor::listening(&format!("s{number}"), &names, custom(), &log);
            core.register_service(Arc::clone(&actor)).await.unwrap();
            actors.push((actor, needs));
        }
        let history = Vec::new();
        Self {
            seed,
            dice,
            core,
            actors,
            history,
        }
    }

    fn change_moods(&mut self) {
        let at = usize::try_from(self.dice.roll(self.actors.len() as u64)).unwrap();
        let (start, stop) = (self.dice.mood(), self.dice.mood());
        let (health, handle) = (self.dice.mood(), self.dice.mood());
        self.history
            .push(format!("s{at}: {start:?} {stop:?} {health:?} {handle:?}"));
        self.actors[at].0.set(|moods| {
            moods.start = start;
            moods.stop = stop;
            moods.health = health;
            moods.handle = handle;
        });
    }

    async fn step(&mut self) {
        let name = format!("s{}", self.dice.roll(self.actors.len() as u64));
        let core = self.core.clone();
        let what = match self.dice.roll(14) {
            0 => format!("start {:?}", core.start().await),
            1 => format!("stop {:?}", core.stop().await),
            2 => format!("restart {:?}", core.restart().await),
            3 => format!("start {name} {:?}", core.start_service(&name).await),
            4 => format!("stop {name} {:?}", core.stop_service(&name).await),
            5 => format!("restart {name} {:?}", core.restart_service(&name).await),
            6 => {
                let (one, two) = tokio::join!(core.restart(), core.restart_service(&name));
                format!("restart all and {name} {one:?} {two:?}")
            }
            7 => format!("check {}", core.perform_health_check().await.unwrap().len()),
            8 | 9 => {
                self.change_moods();
                return;
            }
            10 | 11 => {
                for _ in 0..self.dice.roll(20) {
                    let _routed = core.route_event(event("x")).await.is_ok();
                    let _routed = core.route_event(to(&name, "y")).await.is_ok();
                }
                format!("events to all and {name}")
            }
            _ => {
                let time = *self.dice.pick(&[0, 10, 100, 1_000, 10_000, 400_000]);
                tokio::time::sleep(Duration::from_millis(time)).await;
                format!("wait {time} ms")
            }
        };
        self.history.push(what);
        self.check_always().await;
    }

    /// What holds at every moment.
    async fn check_always(&self) {
        let metrics = self.core.get_metrics().await.unwrap();
        for (name, one) in &metrics.services {
            let settled = one.delivered + one.dropped + one.failed + one.timed_out;
            let settled = settled + one.panicked + one.let_go;
            let open = one.accepted - settled;
            // One more may be in hand.
            let queued = one.queued as u64;
            assert!(
                open == queued || open == queued + 1,
                "{name} lost mail: {one:?}"
            );
            assert!(queued <= 8 * 4, "{name} holds too much: {one:?}");
        }
        for status in self.core.list_services().await.unwrap() {
            let runs = status.state == ServiceState::Running;
            assert!(!status.ready || runs, "{status:?}");
            let starts = status.state == ServiceState::Starting;
            assert!(status.waiting_for.is_empty() || starts, "{status:?}");
        }
        if self.core.get_state().await == CoreState::Stopped {
            self.check_stopped().await;
        }
    }

    /// What holds once the core has stopped.
    async fn check_stopped(&self) {
        for status in self.core.list_services().await.unwrap() {
            assert_eq!(status.state, ServiceState::Stopped, "{status:?}");
        }
        let metrics = self.core.get_metrics().await.unwrap();
        for one in metrics.services.values() {
            assert_eq!(one.queued, 0, "{one:?}");
        }
        for (actor, _) in &self.actors {
            assert_eq!(actor.alive(), Vec::<String>::new());
        }
    }

    /// When nothing fails any more, everything runs, in order, and stops again.
    async fn check_recovery(&mut self) {
        for (actor, _) in &self.actors {
            actor.set(|moods| *moods = crate::actor::Moods::default());
        }
        tokio::time::sleep(Duration::from_secs(400)).await;
        let _stopped = self.core.stop().await.is_ok();
        self.core.start().await.unwrap();
        let states: BTreeMap<String, ServiceState> = self
            .core
            .list_services()
            .await
            .unwrap()
            .into_iter()
            .map(|status| (status.name, status.state))
            .collect();
        assert!(
            states.values().all(|state| *state == ServiceState::Running),
            "{states:?}"
        );
        self.core.stop().await.unwrap();
        self.check_stopped().await;
    }
}

/// Says which seed and what history a failure belongs to.
impl Drop for World {
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads a failure needs the seed"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "CRUCIBLE_SIM_SEED={}:\n{}",
                self.seed,
                self.history.join("\n")
            );
        }
    }
}

async fn live(seed: u64) {
    let mut world = World::new(seed).await;
    // No command may take longer than all deadlines of a chain of services together.
    let most = Duration::from_secs(3_000);
    for _ in 0..40 {
        let is_ok = tokio::time::timeout(most, world.step()).await.is_ok();
        assert!(is_ok, "a command hangs");
    }
    let is_ok = tokio::time::timeout(most, world.check_recovery())
        .await
        .is_ok();
    assert!(is_ok, "it does not recover");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn core_keeps_its_promises_whatever_services_do() {
    let seeds = match number("CRUCIBLE_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CRUCIBLE_SIM_SEEDS").unwrap_or(200),
    };
    // Panics of services are expected by the thousand; their traces would bury a real one.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.to_string();
        if !text.ends_with("panics") {
            usual(info);
        }
    }));
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(live(seed));
    }
}
