//! The handle through which everything is asked of the core.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use crucible_services::clock;
use crucible_services::events::{DaemonEvent, EventFilter, EventPublisher};
use crucible_services::health::{HealthStatus, ServiceHealth};
use crucible_services::ids::EventId;
use crucible_services::router::{
    EventSubscription, RouteError, Router, RouterStats, RoutingReceipt,
};
use crucible_services::service_traits::ServiceLifecycle;
use crucible_services::tasks::TaskOwner;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::conductor::{Conductor, Reply, Request, Stage};
use crate::config::{CoreConfig, CrucibleConfig};
use crate::error::{Error, Failure};
use crate::health::{HealthRecord, SystemHealth};
use crate::health_log::HealthLog;
use crate::metrics::{CoreMetrics, MetricsSample};
use crate::metrics_log::MetricsLog;
use crate::options::ServiceOptions;
use crate::publisher::Publisher;
use crate::reconfigure;
use crate::registration;
use crate::registry::{Member, Registry};
use crate::shared::Shared;
use crate::state::{CoreState, ServiceState};
use crate::status::ServiceStatus;
use crate::supervisor::{Command, Settled};
use crate::tell::Tell;

/// How many requests may wait for the conductor; who asks waits when there are more.
const REQUESTS_MAX: usize = 16;
/// From how many unhandled events in a row on a service counts as degraded.
const FAILING_MAX: u32 = 5;

/// Supervises services and routes events between them.
///
/// Cheap to clone: all clones are one core. Its tasks run on the runtime on which it was built
/// and end when the last handle is dropped; a service that holds a handle is released by
/// [`CrucibleCore::unregister_service`].
#[derive(Clone, Debug)]
pub struct CrucibleCore {
    inner: Arc<Inner>,
}

/// What all handles share. Nothing here is changed under a lock that is held across a wait.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) registry: Arc<Registry>,
    pub(crate) router: Router,
    pub(crate) settings: watch::Sender<Arc<CoreConfig>>,
    pub(crate) config: ArcSwap<CrucibleConfig>,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) tell: Tell,
    pub(crate) tasks: TaskOwner,
    pub(crate) health: Arc<HealthLog>,
    /// One change of the configuration at a time.
    pub(crate) configuring: Semaphore,
    metrics: Arc<MetricsLog>,
    logs_events: Arc<AtomicBool>,
    requests: mpsc::Sender<Request>,
}

impl Inner {
    fn new(config: CoreConfig) -> Self {
        let router = Router::new(config.routing_config.clone(), config.event_queue_size);
        let registry = Arc::new(Registry::new());
        let tasks = TaskOwner::new("core");
        let metrics = Arc::new(MetricsLog::default());
        let logs_events = Arc::new(AtomicBool::new(config.enable_debug));
        let settings = watch::Sender::new(Arc::new(config.clone()));
        let (stage_sender, stage) = watch::channel(Stage::default());
        let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
        let conductor = Conductor {
            stage: stage_sender,
            registry: Arc::clone(&registry),
            router: router.clone(),
            settings: settings.subscribe(),
            metrics: Arc::clone(&metrics),
            waiting: Vec::new(),
            patience: None,
            next_sample: None,
        };
        tasks.spawn("conductor", conductor.run(inbox, tasks.token().clone()));
        Self {
            registry,
            tell: Tell::new(router.clone()),
            router,
            settings,
            config: ArcSwap::from_pointee(config.into()),
            stage,
            tasks,
            health: Arc::default(),
            configuring: Semaphore::new(1),
            metrics,
            logs_events,
            requests,
        }
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(self.router.clone(), Arc::clone(&self.logs_events))
    }

    /// Lets a validated configuration take effect.
    pub(crate) fn adopt(&self, config: CrucibleConfig) {
        let core = &config.core;
        self.router
            .reconfigure(core.routing_config.clone(), core.event_queue_size);
        self.logs_events.store(core.enable_debug, Ordering::Relaxed);
        let _before = self.settings.send_replace(Arc::new(core.clone()));
        self.config.store(Arc::new(config));
    }

    fn state(&self) -> CoreState {
        self.stage.borrow().state
    }

    fn statuses(&self) -> Vec<ServiceStatus> {
        let stats = self.router.stats();
        let members = self.registry.members();
        members
            .values()
            .map(|member| status(member, &stats))
            .collect()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

impl CrucibleCore {
    /// Builds a core with no services. It must be called on a tokio runtime.
    ///
    /// # Errors
    /// When a setting is not valid.
    #[expect(
        clippy::unused_async,
        reason = "a core is built on a runtime, and a caller may not rely on it never waiting"
    )]
    pub async fn new(config: CoreConfig) -> Result<Self, Error> {
        config.validate()?;
        let inner = Arc::new(Inner::new(config));
        Ok(Self { inner })
    }

    /// Starts all services: each after those it depends on, others side by side.
    ///
    /// Returns when every service runs, or has failed for good or for five seconds. Does nothing
    /// when the core runs already.
    ///
    /// # Errors
    /// [`Error::Services`] names those that do not run, and why. The core runs all the same and
    /// goes on trying to start them; [`CrucibleCore::stop`] gives up.
    pub async fn start(&self) -> Result<(), Error> {
        self.request(Request::Start).await
    }

    /// Stops all services: each after those that depend on it, handling the mail that it has.
    ///
    /// When this returns, the services' tasks have ended and routing is closed. Does nothing when
    /// the core does not run.
    ///
    /// # Errors
    /// [`Error::Services`] names those that did not stop cleanly; they count as stopped.
    pub async fn stop(&self) -> Result<(), Error> {
        self.request(Request::Stop).await
    }

    /// Stops and starts all services.
    ///
    /// # Errors
    /// As [`CrucibleCore::start`]. What went wrong while stopping is logged and told.
    pub async fn restart(&self) -> Result<(), Error> {
        match self.stop().await {
            Ok(()) | Err(Error::Services { .. }) => self.start().await,
            Err(error) => Err(error),
        }
    }

    /// Returns where the core is.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn get_state(&self) -> CoreState {
        self.inner.state()
    }

    /// Puts a service under supervision, and starts it if the core runs.
    ///
    /// A service whose dependencies are not registered yet is accepted and started once they run.
    ///
    /// # Errors
    /// When the name is taken or not valid, there are too many services, or the dependencies form
    /// a cycle. [`Error::Services`] when the service was registered and did not start: it stays
    /// registered and is tried again.
    pub async fn register_service<S>(&self, service: Arc<S>) -> Result<(), Error>
    where
        S: ServiceLifecycle + ?Sized,
    {
        self.register_service_with(service, ServiceOptions::default())
            .await
    }

    /// As [`CrucibleCore::register_service`], with deadlines and subscriptions of one's own.
    ///
    /// # Errors
    /// As [`CrucibleCore::register_service`].
    pub async fn register_service_with<S>(
        &self,
        service: Arc<S>,
        options: ServiceOptions,
    ) -> Result<(), Error>
    where
        S: ServiceLifecycle + ?Sized,
    {
        let service = Arc::new(Shared(service));
        let name = registration::register(&self.inner, service, options)?;
        if !matches!(self.inner.state(), CoreState::Starting | CoreState::Running) {
            return Ok(());
        }
        let run = |reply| Command::Run {
            by_hand: false,
            reply: Some(reply),
        };
        match self.command(&name, run).await? {
            Ok(Settled::Running | Settled::Waiting(_)) => Ok(()),
            // The core is being stopped: the service is registered, and that was asked.
            Err(Error::WrongState { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Stops a service, handling the mail that it has, and forgets it.
    ///
    /// # Errors
    /// When there is no such service, or services that run depend on it.
    pub async fn unregister_service(&self, name: &str) -> Result<(), Error> {
        self.refuse_if_needed(name)?;
        self.command(name, |reply| Command::Remove { reply })
            .await?
    }

    /// Starts one service and forgets its earlier failures.
    ///
    /// # Errors
    /// When there is no such service, the core does not run, or the service does not start; it
    /// is tried again then, except when it waits for what is not there.
    pub async fn start_service(&self, name: &str) -> Result<(), Error> {
        let run = |reply| Command::Run {
            by_hand: true,
            reply: Some(reply),
        };
        let settled = self.command(name, run).await??;
        settled_or_stuck(name, settled)
    }

    /// Stops one service, handling the mail that it has.
    ///
    /// # Errors
    /// When there is no such service, services that run depend on it, or it did not stop cleanly
    /// (it counts as stopped then).
    pub async fn stop_service(&self, name: &str) -> Result<(), Error> {
        self.refuse_if_needed(name)?;
        let stop = |reply| Command::Stop {
            in_order: false,
            reply: Some(reply),
        };
        self.command(name, stop).await?
    }

    /// Stops one service and starts it again. Its mail is kept, and services that depend on it
    /// go on.
    ///
    /// # Errors
    /// As [`CrucibleCore::start_service`].
    pub async fn restart_service(&self, name: &str) -> Result<(), Error> {
        let settled = self
            .command(name, |reply| Command::Restart { reply })
            .await??;
        settled_or_stuck(name, settled)
    }

    /// Returns a service.
    ///
    /// # Errors
    /// When there is none of that name; the error names those that may have been meant.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn get_service(&self, name: &str) -> Result<Arc<dyn ServiceLifecycle>, Error> {
        let member = self.inner.registry.find(name)?;
        Ok(Arc::clone(&member.service))
    }

    /// Returns what is known of each service, by name.
    ///
    /// # Errors
    /// When the core has ended.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn list_services(&self) -> Result<Vec<ServiceStatus>, Error> {
        Ok(self.inner.statuses())
    }

    /// Routes an event; see [`Router::route`].
    ///
    /// # Errors
    /// When the event is not valid, or the core does not run.
    pub async fn route_event(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.inner.publisher().route(event).await
    }

    /// Asks every service that runs how it is, side by side, and returns the answers by name.
    ///
    /// A service that does not run is [`HealthStatus::Unknown`].
    ///
    /// # Errors
    /// When the core has ended.
    pub async fn perform_health_check(&self) -> Result<BTreeMap<String, ServiceHealth>, Error> {
        let members = self.inner.registry.members();
        let checks = members.values().map(|member| async move {
            let (reply, answer) = oneshot::channel();
            let command = Command::Check { reply };
            if member.commands.send(command).await.is_err() {
                return None;
            }
            // A service that is unregistered meanwhile is left out.
            Some((member.name.clone(), answer.await.ok()?))
        });
        let answers = futures_util::future::join_all(checks).await;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Returns the health of the whole, from what is known, without asking the services anew.
    ///
    /// # Errors
    /// When the core has ended.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn get_system_health(&self) -> Result<SystemHealth, Error> {
        let services = self.inner.statuses();
        Ok(SystemHealth::weigh(
            self.inner.state(),
            &services,
            clock::now(),
        ))
    }

    /// Returns the last health checks (at most 128 of each service), oldest first.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn get_health_history(&self) -> Vec<HealthRecord> {
        self.inner.health.all()
    }

    /// Returns the figures of this moment.
    ///
    /// # Errors
    /// When the core has ended.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn get_metrics(&self) -> Result<CoreMetrics, Error> {
        let inner = &self.inner;
        Ok(inner
            .metrics
            .now(inner.state(), &inner.registry, &inner.router))
    }

    /// Returns samples of the figures, one for each `metrics_interval_s` while the core runs (the
    /// last 1,440), oldest first.
    #[expect(
        clippy::unused_async,
        reason = "the contract is asynchronous throughout"
    )]
    pub async fn get_metrics_history(&self) -> Vec<MetricsSample> {
        self.inner.metrics.all()
    }

    /// Returns the configuration that is in effect.
    #[must_use]
    pub fn config(&self) -> Arc<CrucibleConfig> {
        self.inner.config.load_full()
    }

    /// Takes over another configuration, at once and as a whole, or leaves everything as it is.
    ///
    /// Takes a [`CrucibleConfig`], or a [`CoreConfig`] when no service's section changes.
    ///
    /// # Errors
    /// When a setting is not valid, a section names no service, or a service refuses its section.
    pub async fn update_config(&self, config: impl Into<CrucibleConfig>) -> Result<(), Error> {
        let next = config.into();
        let inner = Arc::clone(&self.inner);
        let (reply, answer) = oneshot::channel();
        // In a task of its own, so that a caller that goes away cannot leave half of it done.
        self.inner
            .tasks
            .spawn("change of configuration", async move {
                let result = reconfigure::apply(&inner, next).await;
                let _was_heard = reply.send(result).is_ok();
            });
        answer.await.map_err(|_closed| Error::Ended)?
    }

    /// Observes every event that is accepted from now on and that `filter` wants.
    ///
    /// A slow observer misses the oldest events and is told how many; it ends when the core stops.
    #[must_use]
    pub fn subscribe_events(&self, filter: EventFilter) -> EventSubscription {
        self.inner.router.subscribe(filter)
    }

    /// Observes every event after the one called `after`; `None` when that one is forgotten.
    #[must_use]
    pub fn subscribe_events_after(
        &self,
        filter: EventFilter,
        after: EventId,
    ) -> Option<EventSubscription> {
        self.inner.router.subscribe_after(filter, after)
    }

    /// Returns the last events that `filter` wants, at most `limit`, oldest first.
    #[must_use]
    pub fn recent(&self, filter: &EventFilter, limit: usize) -> Vec<Arc<DaemonEvent>> {
        self.inner.router.recent(filter, limit)
    }

    /// Returns where to tell events.
    #[must_use]
    pub fn publisher(&self) -> Arc<dyn EventPublisher> {
        Arc::new(self.inner.publisher())
    }

    async fn request(&self, make: impl FnOnce(Reply) -> Request) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let request = make(reply);
        self.inner
            .requests
            .send(request)
            .await
            .map_err(|_closed| Error::Ended)?;
        answer.await.map_err(|_closed| Error::Ended)?
    }

    /// Asks a supervisor. A supervisor that ends meanwhile means that the service has gone.
    async fn command<T>(
        &self,
        name: &str,
        make: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Error> {
        let member = self.inner.registry.find(name)?;
        let (reply, answer) = oneshot::channel();
        let gone = || Error::NoSuchService {
            name: name.to_owned(),
            near: Vec::new(),
        };
        let sent = member.commands.send(make(reply)).await;
        sent.map_err(|_closed| gone())?;
        answer.await.map_err(|_closed| gone())
    }

    fn refuse_if_needed(&self, name: &str) -> Result<(), Error> {
        self.inner.registry.find(name)?;
        let dependants = self.inner.registry.dependants_up(name);
        if dependants.is_empty() {
            return Ok(());
        }
        Err(Error::HasDependants {
            name: name.to_owned(),
            dependants,
        })
    }
}

fn settled_or_stuck(name: &str, settled: Settled) -> Result<(), Error> {
    match settled {
        Settled::Running => Ok(()),
        Settled::Waiting(names) => Err(Error::Services {
            failures: vec![Failure {
                service: name.to_owned(),
                reason: format!("it waits for {}", names.join(", ")),
            }],
        }),
    }
}

/// Returns what is shown of a service, with the evidence of its mailbox.
fn status(member: &Member, stats: &RouterStats) -> ServiceStatus {
    let mut status = member.status();
    let instances = stats
        .groups
        .iter()
        .filter(|group| group.service == member.name)
        .flat_map(|group| &group.instances);
    let failing = instances.map(|one| one.failing_in_a_row).max().unwrap_or(0);
    let is_good = matches!(
        status.health.status,
        HealthStatus::Healthy | HealthStatus::Unknown
    );
    if status.state == ServiceState::Running && is_good && failing >= FAILING_MAX {
        let last = member.snapshot.borrow().last_fault.clone();
        let last = last.unwrap_or_else(|| "no reason given".to_owned());
        status.health.status = HealthStatus::Degraded;
        status.health.message = Some(format!(
            "the last {failing} events were not handled; the last one: {last}"
        ));
    }
    status
}
