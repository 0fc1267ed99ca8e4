//! The task that looks at the clock and hands due schedules to their scripts.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::clock;
use jiff::Timestamp;

use crate::engine::Engine;
use crate::job::Job;
use crate::log;
use crate::planner::Turn;
use crate::protocol::Level;
use crate::runs;
use crate::slot::Slot;

/// The longest sleep: a clock that was set, or a machine that slept, is noticed after it.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// Follows the clock until the engine stops.
pub(crate) async fn follow(engine: Arc<Engine>) {
    loop {
        let now = clock::now();
        for slot in engine.slots() {
            turn(&engine, &slot, now).await;
        }
        let wakes = engine.slots().iter().filter_map(|slot| wakes(slot)).min();
        let sleep = wakes.map_or(LOOK_MAX, |at| until(clock::now(), at).min(LOOK_MAX));
        tokio::select! {
            () = engine.token.cancelled() => return,
            () = engine.planned.notified() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

fn wakes(slot: &Slot) -> Option<Timestamp> {
    slot.state().planner.as_ref()?.wakes()
}

/// Returns how long it is from `now` to `at`, and a little more, so that `at` has passed then.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    let wait = at.duration_since(now);
    if wait.is_negative() {
        Duration::ZERO
    } else {
        wait.unsigned_abs() + Duration::from_millis(1)
    }
}

async fn turn(engine: &Engine, slot: &Arc<Slot>, now: Timestamp) {
    let (version, turn) = {
        let mut state = slot.state();
        let Some(version) = state.force.as_ref().map(|force| Arc::clone(&force.version)) else {
            return;
        };
        let turn = state.planner.as_mut().map(|planner| planner.turn(now));
        (version, turn.unwrap_or_default())
    };
    let Turn { due, overlapping } = turn;
    for index in overlapping {
        let function = &version.manifest.schedules[index].function;
        let message = "a scheduled time passed: the call before it was still going on";
        slot.write(log::line(Level::Warn, function, message, None));
    }
    for due in due {
        let schedule = &version.manifest.schedules[due.index];
        let state = engine.caller.desk.host.state.as_ref();
        if let Err(error) = runs::keep(state, &slot.name, schedule, now).await {
            tracing::warn!(script.name = %slot.name, %error, "a scheduled call is made, but not kept");
        }
        let job = Job::Schedule {
            version: Arc::clone(&version),
            index: due.index,
            due: due.at,
            is_late: due.is_late,
        };
        if slot.queue.push_call(job).is_err() {
            let message = "a scheduled call was given up: too many calls wait";
            slot.write(log::line(Level::Error, &schedule.function, message, None));
            if let Some(planner) = slot.state().planner.as_mut() {
                planner.ended(due.index);
            }
        }
    }
}
