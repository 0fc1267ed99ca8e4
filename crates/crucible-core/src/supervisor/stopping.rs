//! How a supervisor ends a run of its service: to stop it, to start it again, to remove it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Supervisor;
use super::phase::{Phase, Then};
use super::starting::{BLOCKED_AFTER, answer};
use super::wind_down::WindDown;
use crate::state::ServiceState;

impl Supervisor {
    pub(super) fn on_stop(&mut self, in_order: bool) {
        match self.phase {
            Phase::Running { .. } | Phase::Yielding if in_order => {
                self.phase = Phase::Yielding;
                self.stop_if_possible();
            }
            Phase::Ending {
                then: Then::Removed,
                ..
            } => {}
            Phase::Ending { .. } => self.phase = self.phase.with_then(Then::Stopped),
            Phase::Idle if self.shown.borrow().status.state == ServiceState::Stopped => {
                self.answer_stopped();
            }
            _ => self.end_run(Then::Stopped),
        }
        self.answer_not_started("it is being stopped");
    }

    pub(super) fn on_remove(&mut self) {
        match self.phase {
            Phase::Ending { .. } => self.phase = self.phase.with_then(Then::Removed),
            _ => self.end_run(Then::Removed),
        }
        self.answer_not_started("it is being unregistered");
    }

    pub(super) fn stop_if_possible(&mut self) {
        if self
            .parts
            .registry
            .dependants_up(&self.parts.name)
            .is_empty()
        {
            self.end_run(Then::Stopped);
        }
    }

    /// Ends the run, if there is one, and all that belongs to it.
    pub(super) fn end_run(&mut self, then: Then) {
        let was_running = matches!(self.phase, Phase::Running { .. } | Phase::Yielding);
        self.checks.end();
        let is_final = then.is_final();
        let deadline = self.parts.options.stop_deadline;
        self.phase = Phase::Ending {
            give_up: Instant::now() + deadline + deadline + BLOCKED_AFTER,
            then,
            is_final,
        };
        self.show(|shown| shown.is_recovering = then == Then::Recover);
        match then {
            Then::Recover => self.enter(ServiceState::Failed),
            _ if was_running && is_final => self.enter(ServiceState::Draining),
            _ => self.enter(ServiceState::Stopping),
        }
        let run = self.run.take();
        let (tasks, start_ended, calls_stop) = match run {
            Some(run) => {
                run.start_token.cancel();
                (Some(run.tasks), run.start_ended, run.calls_stop)
            }
            None => (None, cancelled(), false),
        };
        let wind_down = WindDown {
            run_id: self.run_id,
            service: Arc::clone(&self.parts.service),
            instance: Arc::clone(&self.parts.instance),
            tasks,
            start_ended,
            calls_stop,
            is_final,
            deadline,
        };
        let name = format!("stop of {}", self.parts.name);
        self.parts
            .tasks
            .spawn(name, wind_down.run(self.done.clone()));
    }

    pub(super) fn on_drained(&self) {
        if let Phase::Ending { then, .. } = self.phase
            && then != Then::Recover
        {
            self.enter(ServiceState::Stopping);
        }
    }

    pub(super) fn on_wound_down(&mut self, fault: Option<String>) {
        let Phase::Ending { then, is_final, .. } = self.phase else {
            return;
        };
        // What this run still reports means nothing from here on.
        self.run_id += 1;
        if let Some(fault) = fault {
            self.tell_failure(&fault);
            self.show(|shown| shown.stop_error = Some(fault));
        }
        if then.is_final() && !is_final {
            // Asked to stop for good after this run had begun to end: the mailbox is left.
            self.end_run(then);
            return;
        }
        match then {
            Then::Recover => self.recover(),
            Then::StartAgain => self.begin_start(),
            Then::Stopped => {
                self.phase = Phase::Idle;
                self.is_blocked = false;
                self.recovery.reset();
                self.enter(ServiceState::Stopped);
                self.answer_stopped();
            }
            Then::Removed => self.on_removed(),
        }
    }

    fn on_removed(&mut self) {
        self.phase = Phase::Idle;
        self.enter(ServiceState::Stopped);
        self.parts.registry.remove(&self.parts.name);
        self.parts.log.forget(&self.parts.name);
        self.parts.tell.unregistered(&self.parts.name);
        self.answer_stopped();
        let instance = Arc::clone(&self.parts.instance);
        let asked = std::mem::take(&mut self.remove_asked);
        let name = format!("removal of {}", self.parts.name);
        self.parts.tasks.spawn(name, async move {
            instance.remove(Duration::from_secs(1)).await;
            for reply in asked {
                answer(reply, Ok(()));
            }
        });
        self.has_ended = true;
    }

    fn answer_stopped(&mut self) {
        let error = self.shown.borrow().stop_error.clone();
        let result = match error {
            Some(error) => Err(self.failure(&error)),
            None => Ok(()),
        };
        for reply in std::mem::take(&mut self.stop_asked) {
            answer(reply, result.clone());
        }
    }

    /// The time of the phase has come.
    pub(super) fn on_phase_due(&mut self) {
        match self.phase {
            Phase::Resting { .. } if self.auto_recovery() => self.begin_start(),
            Phase::Resting { .. } => self.recover(),
            Phase::Running { .. } => self.on_stable(),
            Phase::Starting { .. } => {
                let reason = "failed to start: it blocks its thread and cannot be interrupted";
                self.is_blocked = true;
                self.tell_failure(reason);
                self.end_run(Then::Recover);
            }
            Phase::Ending { .. } => {
                let fault = "failed to stop: it blocks its thread and cannot be interrupted";
                self.is_blocked = true;
                self.on_wound_down(Some(fault.to_owned()));
            }
            Phase::Idle | Phase::Waiting | Phase::Yielding => {}
        }
    }
}

fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}
