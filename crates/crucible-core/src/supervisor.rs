//! One task for each service that owns what state it is in.
//!
//! Everything that takes time (the service's own methods, draining, joining) runs in tasks of
//! its own and reports back, so a supervisor is always ready for the next command, whatever its
//! service does. All that can wake it is one [`Wake`].
//!
//! Where to start reading: `Phase`, then `Supervisor::on`. The rules that decide are pure:
//! `recovery` (when to try again) and `verdict` (what a row of health checks amounts to).

mod call;
mod checks;
mod message;
mod phase;
mod recovery;
mod starting;
mod stopping;
mod verdict;
mod wind_down;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crucible_services::clock;
use crucible_services::events::EventPublisher;
use crucible_services::health::ServiceHealth;
use crucible_services::router::{Fault, FaultKind, Instance};
use crucible_services::service_traits::ServiceLifecycle;
use crucible_services::tasks::TaskOwner;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::conductor::Stage;
use crate::config::CoreConfig;
use crate::health_log::HealthLog;
use crate::options::ServiceOptions;
use crate::registry::Registry;
use crate::state::ServiceState;
use crate::status::ServiceStatus;
use crate::tell::Tell;

pub(crate) use call::CallError;
pub(crate) use message::{Command, Settled};
pub(crate) use starting::PATIENCE;

use checks::Checks;
use message::{Done, StopReply, Wake};
use phase::{Asked, Phase, Then};
use recovery::Recovery;

/// How many commands may wait for a supervisor; who asks waits when there are more.
pub(crate) const COMMANDS_MAX: usize = 16;
/// How many reports of its own tasks may wait.
const DONE_MAX: usize = 16;

/// What a supervisor shows of its service.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) status: ServiceStatus,
    /// When the state was entered.
    pub(crate) entered: Instant,
    /// Whether a failed service will be started again.
    pub(crate) is_recovering: bool,
    /// In which round of the core it was last asked to start.
    pub(crate) round: u64,
    /// What went wrong when it was last stopped.
    pub(crate) stop_error: Option<String>,
    pub(crate) checks: u64,
    pub(crate) checks_bad: u64,
    /// The last event that was not handled, in words.
    pub(crate) last_fault: Option<String>,
}

impl Snapshot {
    pub(crate) fn new(status: ServiceStatus) -> Self {
        Self {
            status,
            entered: Instant::now(),
            is_recovering: false,
            round: 0,
            stop_error: None,
            checks: 0,
            checks_bad: 0,
            last_fault: None,
        }
    }
}

/// What a supervisor is given.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) service: Arc<dyn ServiceLifecycle>,
    pub(crate) dependencies: Vec<String>,
    pub(crate) options: ServiceOptions,
    pub(crate) instance: Arc<Instance>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) settings: watch::Receiver<Arc<CoreConfig>>,
    pub(crate) core: watch::Receiver<Stage>,
    pub(crate) events: Arc<dyn EventPublisher>,
    pub(crate) tell: Tell,
    /// Owns the supervisor and all that it runs.
    pub(crate) tasks: TaskOwner,
    pub(crate) log: Arc<HealthLog>,
}

/// Owns the state of one service.
pub(crate) struct Supervisor {
    parts: Parts,
    shown: watch::Sender<Snapshot>,
    done: mpsc::Sender<Done>,
    phase: Phase,
    run: Option<Run>,
    /// The number of the last run; what an earlier one still reports means nothing.
    run_id: u64,
    recovery: Recovery,
    checks: Checks,
    /// Who waits for the service to be started.
    asked: Vec<Asked>,
    /// Who waits for it to be stopped.
    stop_asked: Vec<StopReply>,
    remove_asked: Vec<StopReply>,
    has_started_before: bool,
    /// Whether a call blocks its thread: another try would cost another thread.
    is_blocked: bool,
    has_ended: bool,
}

/// One run of the service, from the call of `start` to the end of its tasks.
struct Run {
    tasks: TaskOwner,
    panics_seen: u64,
    /// Interrupts the call of `start`.
    start_token: CancellationToken,
    /// Is cancelled when that call has ended.
    start_ended: CancellationToken,
    /// Whether the service has something to stop.
    calls_stop: bool,
}

/// Where a supervisor hears from others.
pub(crate) struct Inbox {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) faults: mpsc::Receiver<Fault>,
}

impl Supervisor {
    /// Supervises until the service is removed or the core is gone.
    pub(crate) async fn run(parts: Parts, shown: watch::Sender<Snapshot>, mut inbox: Inbox) {
        let (done, mut reports) = mpsc::channel(DONE_MAX);
        let mut pulse = parts.registry.pulse();
        let mut settings = parts.settings.clone();
        let token = parts.tasks.token().clone();
        let mut this = Self {
            parts,
            shown,
            done,
            phase: Phase::Idle,
            run: None,
            run_id: 0,
            recovery: Recovery::default(),
            checks: Checks::default(),
            asked: Vec::new(),
            stop_asked: Vec::new(),
            remove_asked: Vec::new(),
            has_started_before: false,
            is_blocked: false,
            has_ended: false,
        };
        while !this.has_ended {
            let wake = tokio::select! {
                biased;
                () = token.cancelled() => Wake::Ended,
                Some(done) = reports.recv() => Wake::Done(done),
                command = inbox.commands.recv() => command.map_or(Wake::Ended, Wake::Command),
                panics = panicked(this.run.as_ref()) => Wake::Panicked(panics),
                () = until(this.next_timer()) => Wake::Timer,
                Ok(()) = pulse.changed() => Wake::Changed,
                Ok(()) = settings.changed() => Wake::Changed,
                // Last, since a service that handles nothing well can report without end.
                Some(fault) = inbox.faults.recv() => Wake::Fault(fault),
            };
            this.on(wake);
        }
        if let Some(run) = this.run {
            run.tasks.token().cancel();
        }
    }

    /// Answers one thing that has happened. Never waits.
    fn on(&mut self, wake: Wake) {
        match wake {
            Wake::Command(command) => self.on_command(command),
            Wake::Done(done) => self.on_done(done),
            Wake::Fault(fault) => self.on_fault(&fault),
            Wake::Panicked(panics) => {
                if let Some(run) = &mut self.run {
                    run.panics_seen = panics;
                }
                self.break_down("a background task panicked");
            }
            Wake::Changed => self.on_changed(),
            Wake::Timer => self.on_timer(),
            Wake::Ended => self.has_ended = true,
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Run { by_hand, reply } => self.on_run(by_hand, reply),
            Command::Stop { in_order, reply } => {
                self.stop_asked.extend(reply);
                self.on_stop(in_order);
            }
            Command::Restart { reply } => self.on_restart(reply),
            Command::Remove { reply } => {
                self.remove_asked.push(reply);
                self.on_remove();
            }
            Command::Check { reply } => self.check_on_demand(reply),
            Command::Configure { section, reply } => self.configure(section, reply),
        }
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Started { run_id, result } if run_id == self.run_id => self.on_started(result),
            Done::Drained { run_id } if run_id == self.run_id => self.on_drained(),
            Done::WoundDown { run_id, fault } if run_id == self.run_id => {
                self.on_wound_down(fault);
            }
            Done::Checked {
                run_id,
                answer,
                took,
            } => self.on_checked(run_id, &answer, took),
            Done::Started { .. } | Done::Drained { .. } | Done::WoundDown { .. } => {}
        }
    }

    fn on_fault(&mut self, fault: &Fault) {
        let what = format!("{} ({}): {}", fault.event_name, fault.event, fault.message);
        self.show(|shown| shown.last_fault = Some(what.clone()));
        match fault.kind {
            // One event that cannot be handled says little about the service.
            FaultKind::Failed => {}
            FaultKind::TimedOut => self.break_down(&format!("handling an event hung: {what}")),
            FaultKind::Panicked => self.break_down(&format!("handling an event panicked: {what}")),
        }
    }

    /// Another service, the core or the settings have changed.
    fn on_changed(&mut self) {
        match self.phase {
            Phase::Waiting => self.start_if_possible(),
            Phase::Yielding => self.stop_if_possible(),
            _ => {}
        }
        self.checks.reschedule(self.check_interval());
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        if self.phase.due().is_some_and(|due| due <= now) {
            self.on_phase_due();
        }
        if self.checks.due().is_some_and(|due| due <= now) {
            self.check();
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        [self.phase.due(), self.checks.due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// A running service has done something that the restart policy answers.
    fn break_down(&mut self, reason: &str) {
        if !matches!(self.phase, Phase::Running { .. }) {
            return;
        }
        self.tell_failure(reason);
        if self.auto_recovery() {
            self.end_run(Then::Recover);
        }
    }

    fn tell_failure(&self, reason: &str) {
        let name = &self.parts.name;
        tracing::warn!(service.name = %name, error = reason, "service broke down");
        self.show(|shown| shown.status.last_error = Some(reason.to_owned()));
        self.parts.tell.failed(name, reason);
    }

    /// Enters a state, for all to see.
    fn enter(&self, state: ServiceState) {
        let old = self.shown.borrow().status.state;
        if old == state {
            return;
        }
        self.shown.send_modify(|shown| {
            shown.status.state = state;
            shown.status.since = clock::now();
            shown.status.ready = state == ServiceState::Running;
            shown.entered = Instant::now();
            if state != ServiceState::Starting {
                shown.status.waiting_for.clear();
            }
            if !matches!(state, ServiceState::Running | ServiceState::Draining) {
                shown.status.health = ServiceHealth::default();
            }
        });
        let name = &self.parts.name;
        tracing::info!(service.name = %name, state.old = %old, state.new = %state, "service changed");
        self.parts.tell.status_changed(name, old, state);
        self.parts.registry.touch();
    }

    fn show(&self, change: impl FnOnce(&mut Snapshot)) {
        self.shown.send_modify(change);
    }

    fn auto_recovery(&self) -> bool {
        self.parts.settings.borrow().enable_auto_recovery
    }

    /// A number that differs between services and is the same in every process.
    fn salt(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.parts.name.hash(&mut hasher);
        hasher.finish()
    }
}

async fn panicked(run: Option<&Run>) -> u64 {
    match run {
        Some(run) => run.tasks.panicked(run.panics_seen).await,
        None => std::future::pending().await,
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
