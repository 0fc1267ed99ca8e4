//! The one task that owns what state the core as a whole is in.
//!
//! It tells all supervisors what is wanted and watches until they are there. The order comes
//! from the supervisors themselves: each waits for what its service depends on, and stops after
//! what depends on it.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::router::Router;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::CoreConfig;
use crate::error::{Error, Failure};
use crate::metrics_log::MetricsLog;
use crate::registry::{Member, Members, Registry};
use crate::state::{CoreState, ServiceState};
use crate::supervisor::{Command, PATIENCE};

pub(crate) type Reply = oneshot::Sender<Result<(), Error>>;

/// Where the core is, and for the how manieth time it was started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stage {
    pub(crate) state: CoreState,
    /// Counts starts, so that what a service was before this one is not taken for its outcome.
    pub(crate) round: u64,
}

/// What is asked of the core as a whole.
#[derive(Debug)]
pub(crate) enum Request {
    /// Start all services.
    Start(Reply),
    /// Stop all services.
    Stop(Reply),
}

/// Owns the core's state.
pub(crate) struct Conductor {
    pub(crate) stage: watch::Sender<Stage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) router: Router,
    pub(crate) settings: watch::Receiver<Arc<CoreConfig>>,
    pub(crate) metrics: Arc<MetricsLog>,
    pub(crate) waiting: Vec<Reply>,
    /// Until when those who asked for a start are patient with services that are tried again.
    pub(crate) patience: Option<Instant>,
    pub(crate) next_sample: Option<Instant>,
}

impl Conductor {
    /// Conducts until the core is gone.
    pub(crate) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        token: CancellationToken,
    ) {
        let mut pulse = self.registry.pulse();
        let mut settings = self.settings.clone();
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                request = requests.recv() => match request {
                    Some(Request::Start(reply)) => self.start(reply).await,
                    Some(Request::Stop(reply)) => self.stop(reply).await,
                    None => return,
                },
                Ok(()) = pulse.changed() => {}
                Ok(()) = settings.changed() => self.reschedule(),
                () = until(self.next_sample) => self.sample(),
                () = until(self.patience) => self.patience = None,
            }
            self.settle();
        }
    }

    fn current(&self) -> CoreState {
        self.stage.borrow().state
    }

    fn enter(&self, state: CoreState) {
        let old = self.current();
        self.stage.send_modify(|stage| {
            stage.round += u64::from(state == CoreState::Starting);
            stage.state = state;
        });
        tracing::info!(state.old = %old, state.new = %state, "core changed");
    }

    async fn start(&mut self, reply: Reply) {
        match self.current() {
            CoreState::Running => answer(reply, Ok(())),
            CoreState::Starting => self.waiting.push(reply),
            state @ CoreState::Stopping => answer(reply, Err(Error::WrongState { state })),
            CoreState::Initialized | CoreState::Stopped => {
                self.waiting.push(reply);
                self.patience = Some(Instant::now() + PATIENCE);
                self.router.open();
                self.enter(CoreState::Starting);
                let members = self.registry.members();
                self.tell_all(&members, || Command::Run {
                    by_hand: false,
                    reply: None,
                })
                .await;
            }
        }
    }

    async fn stop(&mut self, reply: Reply) {
        match self.current() {
            CoreState::Initialized | CoreState::Stopped => answer(reply, Ok(())),
            CoreState::Stopping => self.waiting.push(reply),
            CoreState::Starting | CoreState::Running => {
                for starter in std::mem::take(&mut self.waiting) {
                    let what = "the start of the core".to_owned();
                    let by = "it is being stopped".to_owned();
                    answer(starter, Err(Error::Interrupted { what, by }));
                }
                self.waiting.push(reply);
                self.patience = None;
                self.next_sample = None;
                self.enter(CoreState::Stopping);
                let members = self.registry.members();
                self.tell_all(&members, || Command::Stop {
                    in_order: true,
                    reply: None,
                })
                .await;
            }
        }
    }

    /// Supervisors never wait for anything but their inbox, so this takes a moment at most.
    async fn tell_all(&self, members: &Members, command: impl Fn() -> Command) {
        for member in members.values() {
            if member.commands.send(command()).await.is_err() {
                tracing::debug!(service.name = %member.name, "service has just been removed");
            }
        }
    }

    /// Looks whether the services are where they should be.
    fn settle(&mut self) {
        match self.current() {
            CoreState::Starting => self.settle_start(),
            CoreState::Stopping => self.settle_stop(),
            CoreState::Initialized | CoreState::Running | CoreState::Stopped => {}
        }
    }

    fn settle_start(&mut self) {
        let members = self.registry.members();
        let view = View {
            members: &members,
            is_patient: self.patience.is_some(),
            round: self.stage.borrow().round,
        };
        let mut failures = Vec::new();
        for member in members.values() {
            match view.settled(member) {
                Settled::Not => return,
                Settled::Running => {}
                Settled::Failed(reason) => failures.push(Failure {
                    service: member.name.clone(),
                    reason,
                }),
            }
        }
        self.patience = None;
        self.metrics.begin();
        self.enter(CoreState::Running);
        self.reschedule();
        self.answer_all(failures);
    }

    fn settle_stop(&mut self) {
        let members = self.registry.members();
        let is_down = |member: &Arc<Member>| {
            matches!(
                member.state(),
                ServiceState::Registered | ServiceState::Stopped
            )
        };
        if !members.values().all(is_down) {
            return;
        }
        let failures = members
            .values()
            .filter_map(|member| {
                let reason = member.snapshot.borrow().stop_error.clone()?;
                let service = member.name.clone();
                Some(Failure { service, reason })
            })
            .collect();
        self.router.close();
        self.enter(CoreState::Stopped);
        self.answer_all(failures);
    }

    fn answer_all(&mut self, failures: Vec<Failure>) {
        let result = if failures.is_empty() {
            Ok(())
        } else {
            Err(Error::Services { failures })
        };
        for reply in std::mem::take(&mut self.waiting) {
            answer(reply, result.clone());
        }
    }

    fn reschedule(&mut self) {
        if self.current() == CoreState::Running {
            let seconds = self.settings.borrow().metrics_interval_s;
            self.next_sample = Some(Instant::now() + Duration::from_secs(seconds));
        }
    }

    fn sample(&mut self) {
        self.metrics
            .sample(self.current(), &self.registry, &self.router);
        self.reschedule();
    }
}

/// Whether a service is where a start can bring it.
#[derive(Clone, Debug)]
enum Settled {
    Not,
    Running,
    Failed(String),
}

/// All services, as a start sees them.
struct View<'a> {
    members: &'a Members,
    is_patient: bool,
    round: u64,
}

impl View<'_> {
    // The graph has no cycles, since none is let in, so the recursion ends.
    fn settled(&self, member: &Member) -> Settled {
        let snapshot = member.snapshot.borrow().clone();
        let reason = || snapshot.status.last_error.clone().unwrap_or_default();
        match snapshot.status.state {
            _ if snapshot.round < self.round => Settled::Not,
            ServiceState::Running => Settled::Running,
            ServiceState::CrashLooping => Settled::Failed(reason()),
            ServiceState::Failed if !snapshot.is_recovering => Settled::Failed(reason()),
            ServiceState::BackingOff if !self.is_patient => Settled::Failed(reason()),
            ServiceState::Stopped => Settled::Failed("it was stopped meanwhile".to_owned()),
            ServiceState::Starting if !snapshot.status.waiting_for.is_empty() => {
                self.waiting(&snapshot.status.waiting_for)
            }
            ServiceState::Registered
            | ServiceState::Starting
            | ServiceState::Draining
            | ServiceState::Stopping
            | ServiceState::Failed
            | ServiceState::BackingOff => Settled::Not,
        }
    }

    fn waiting(&self, names: &[String]) -> Settled {
        let mut stuck = Vec::new();
        for name in names {
            let why = match self.members.get(name) {
                None => "is not registered",
                Some(other) => match self.settled(other) {
                    // Its supervisor is about to see that it runs.
                    Settled::Not | Settled::Running => return Settled::Not,
                    Settled::Failed(_) => "does not run",
                },
            };
            stuck.push(format!("{name}, which {why}"));
        }
        Settled::Failed(format!("it waits for {}", stuck.join(", and for ")))
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Answers; whoever asked may have gone.
fn answer(reply: Reply, result: Result<(), Error>) {
    let _was_heard = reply.send(result).is_ok();
}
