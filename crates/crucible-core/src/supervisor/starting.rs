//! How a supervisor starts its service, and what it does when that fails.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::service_traits::ServiceContext;
use crucible_services::tasks::TaskOwner;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{CallError, guarded};
use super::message::{Done, Settled, StartReply};
use super::phase::{Asked, Phase, Then};
use super::recovery::Next;
use super::{Run, Supervisor};
use crate::conductor::Stage;
use crate::error::{Error, Failure};
use crate::state::{CoreState, ServiceState};

/// How long past its deadline a call may be late before it counts as blocking its thread.
pub(super) const BLOCKED_AFTER: Duration = Duration::from_secs(2);
/// For how long those who asked for a start are patient with a service that is tried again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl Supervisor {
    pub(super) fn on_run(&mut self, by_hand: bool, reply: Option<StartReply>) {
        let Stage { state: core, round } = *self.parts.core.borrow();
        if !matches!(core, CoreState::Starting | CoreState::Running) {
            if let Some(reply) = reply {
                answer(reply, Err(Error::WrongState { state: core }));
            }
            return;
        }
        let at = Instant::now();
        let is_new_round = self.shown.borrow().round != round;
        self.asked.extend(reply.map(|reply| Asked { reply, at }));
        if by_hand && !matches!(self.phase, Phase::Running { .. }) {
            self.recovery.reset();
        }
        match self.phase {
            Phase::Running { .. } => self.answer_started(),
            Phase::Waiting | Phase::Starting { .. } => self.answer_waiting(),
            Phase::Idle => self.begin_start(),
            Phase::Resting { .. } if by_hand => self.begin_start(),
            Phase::Resting { .. } if self.is_crash_looping() => {
                self.answer_not_started("it broke down too often; start it by hand");
            }
            Phase::Resting { .. } => {}
            Phase::Ending { then, .. } if then != Then::Removed && by_hand => {
                self.phase = self.phase.with_then(Then::StartAgain);
            }
            Phase::Ending {
                then: Then::Recover | Then::StartAgain,
                ..
            } => {}
            Phase::Yielding | Phase::Ending { .. } => {
                self.answer_not_started("it is being stopped");
            }
        }
        if is_new_round {
            // Only now, so that nobody takes what was before for what came of it.
            self.show(|shown| shown.round = round);
            self.parts.registry.touch();
        }
    }

    fn is_crash_looping(&self) -> bool {
        self.shown.borrow().status.state == ServiceState::CrashLooping
    }

    pub(super) fn on_restart(&mut self, reply: StartReply) {
        if matches!(self.phase, Phase::Running { .. }) {
            let at = Instant::now();
            self.asked.push(Asked { reply, at });
            self.recovery.reset();
            self.end_run(Then::StartAgain);
        } else {
            self.on_run(true, Some(reply));
        }
    }

    /// Starts, or waits for what the service depends on. Mail is accepted from here on.
    pub(super) fn begin_start(&mut self) {
        self.phase = Phase::Waiting;
        self.parts.instance.accept();
        self.show(|shown| {
            shown.is_recovering = false;
            shown.stop_error = None;
        });
        self.enter(ServiceState::Starting);
        self.start_if_possible();
    }

    pub(super) fn start_if_possible(&mut self) {
        let missing = self.parts.registry.missing(&self.parts.dependencies);
        let is_possible = missing.is_empty();
        let has_changed = self.shown.borrow().status.waiting_for != missing;
        if has_changed {
            self.show(|shown| shown.status.waiting_for = missing);
            self.parts.registry.touch();
        }
        if is_possible {
            self.call_start();
        } else {
            self.answer_waiting();
        }
    }

    fn call_start(&mut self) {
        self.run_id += 1;
        let name = &self.parts.name;
        let tasks = TaskOwner::with_token(name, self.parts.tasks.token().child_token());
        let run = Run {
            tasks: tasks.clone(),
            panics_seen: 0,
            start_token: CancellationToken::new(),
            start_ended: CancellationToken::new(),
            calls_stop: true,
        };
        let deadline = self.parts.options.start_deadline;
        self.phase = Phase::Starting {
            give_up: Instant::now() + deadline + BLOCKED_AFTER,
        };
        if self.has_started_before {
            self.show(|shown| shown.status.restarts += 1);
        }
        self.has_started_before = true;
        let service = Arc::clone(&self.parts.service);
        let events = Arc::clone(&self.parts.events);
        let (done, run_id) = (self.done.clone(), self.run_id);
        let (token, ended) = (
            run.start_token.clone(),
            run.start_ended.clone().drop_guard(),
        );
        self.parts
            .tasks
            .spawn(format!("start of {name}"), async move {
                let context = ServiceContext { tasks, events };
                let result = guarded(deadline, &token, || service.start(context)).await;
                drop(ended);
                // When nobody listens the core is gone.
                let _told = done.send(Done::Started { run_id, result }).await.is_ok();
            });
        self.run = Some(run);
    }

    pub(super) fn on_started(&mut self, result: Result<(), CallError>) {
        if !matches!(self.phase, Phase::Starting { .. }) {
            return;
        }
        match result {
            Ok(()) => self.on_ready(),
            Err(error) => {
                if let Some(run) = &mut self.run {
                    // A service that says that it could not start has nothing to give back.
                    run.calls_stop = !matches!(error, CallError::Failed(_));
                }
                self.tell_failure(&format!("failed to start: {error}"));
                self.end_run(Then::Recover);
            }
        }
    }

    fn on_ready(&mut self) {
        let has_failed = self.shown.borrow().status.last_error.is_some();
        let stable = has_failed.then(|| Instant::now() + self.recovery.stable_after());
        self.phase = Phase::Running { stable };
        self.enter(ServiceState::Running);
        self.parts.instance.resume();
        self.checks.begin();
        self.answer_started();
    }

    /// The run has ended after a failure: decides whether and when to try again.
    pub(super) fn recover(&mut self) {
        let reason = self.shown.borrow().status.last_error.clone();
        let reason = reason.unwrap_or_else(|| "it broke down".to_owned());
        if std::mem::take(&mut self.is_blocked) || !self.auto_recovery() {
            self.phase = Phase::Idle;
            self.show(|shown| shown.is_recovering = false);
            self.enter(ServiceState::Failed);
            self.parts.registry.touch();
            self.answer_not_started(&reason);
            return;
        }
        let attempts_max = self.parts.settings.borrow().max_recovery_attempts;
        let now = Instant::now();
        let next = self.recovery.failed(now, attempts_max, self.salt());
        let (state, delay) = match next {
            Next::Retry(delay) => (ServiceState::BackingOff, delay),
            Next::Loop(delay) => (ServiceState::CrashLooping, delay),
        };
        self.phase = Phase::Resting { until: now + delay };
        self.show(|shown| shown.is_recovering = false);
        self.enter(state);
        let is_hopeless = state == ServiceState::CrashLooping;
        let (keep, lose): (Vec<_>, Vec<_>) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|asked| !is_hopeless && asked.at.elapsed() < PATIENCE);
        self.asked = keep;
        for asked in lose {
            answer(asked.reply, Err(self.failure(&reason)));
        }
    }

    /// The service has run long enough since its last failure.
    pub(super) fn on_stable(&mut self) {
        self.recovery.reset();
        self.phase = Phase::Running { stable: None };
        self.show(|shown| shown.status.last_error = None);
    }

    /// Answers those who asked when what the service waits for is not on its way.
    fn answer_waiting(&mut self) {
        let waiting_for = self.shown.borrow().status.waiting_for.clone();
        let registry = &self.parts.registry;
        let is_stuck = waiting_for.iter().any(|name| !registry.is_coming(name));
        if is_stuck {
            for asked in std::mem::take(&mut self.asked) {
                answer(asked.reply, Ok(Settled::Waiting(waiting_for.clone())));
            }
        }
    }

    fn answer_started(&mut self) {
        for asked in std::mem::take(&mut self.asked) {
            answer(asked.reply, Ok(Settled::Running));
        }
    }

    pub(super) fn answer_not_started(&mut self, reason: &str) {
        for asked in std::mem::take(&mut self.asked) {
            answer(asked.reply, Err(self.failure(reason)));
        }
    }

    pub(super) fn failure(&self, reason: &str) -> Error {
        Error::Services {
            failures: vec![Failure {
                service: self.parts.name.clone(),
                reason: reason.to_owned(),
            }],
        }
    }
}

/// Answers; whoever asked may have gone.
pub(super) fn answer<T>(reply: tokio::sync::oneshot::Sender<T>, value: T) {
    let _was_heard = reply.send(value).is_ok();
}
