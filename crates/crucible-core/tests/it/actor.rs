//! A service that does what a test tells it to, and what many tests wait for.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_core::*;
use crucible_services::events::*;
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use crucible_services::tasks::TaskOwner;
use serde_json::Value;

/// Longer than anything that is waited for in simulated time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(4_000);

/// How a call into the actor goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    Fails,
    Panics,
    Hangs,
    /// Well, after a while.
    Slow(Duration),
}

impl Mood {
    async fn act(self, what: &str) -> Result<(), ServiceError> {
        match self {
            Self::Well => Ok(()),
            Self::Fails => Err(ServiceError::Failed(format!("{what} fails"))),
            Self::Panics => panic!("{what} panics"),
            Self::Hangs => std::future::pending().await,
            Self::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moods {
    pub(crate) start: Mood,
    pub(crate) stop: Mood,
    pub(crate) health: Mood,
    pub(crate) handle: Mood,
}

/// What all actors of a test did, in order.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// A service that does what it is told.
pub(crate) struct Actor {
    name: String,
    dependencies: Vec<String>,
    filters: Vec<EventFilter>,
    log: Log,
    pub(crate) moods: Mutex<Moods>,
    /// How many starts fail before one goes well.
    pub(crate) failing_starts: AtomicU32,
    /// The figure in the last configuration section.
    pub(crate) setting: AtomicU64,
    pub(crate) starts: AtomicU32,
    pub(crate) handled: Mutex<Vec<String>>,
    pub(crate) runs: Mutex<Vec<TaskOwner>>,
}

impl Actor {
    pub(crate) fn new(name: &str, dependencies: &[&str], log: &Log) -> Arc<Self> {
        Self::listening(name, dependencies, Vec::new(), log)
    }

    pub(crate) fn listening(
        name: &str,
        dependencies: &[&str],
        filters: Vec<EventFilter>,
        log: &Log,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            filters,
            log: Arc::clone(log),
            moods: Mutex::default(),
            failing_starts: AtomicU32::new(0),
            setting: AtomicU64::new(0),
            starts: AtomicU32::new(0),
            handled: Mutex::default(),
            runs: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Moods)) {
        change(&mut self.moods.lock().unwrap());
    }

    pub(crate) fn handled(&self) -> Vec<String> {
        self.handled.lock().unwrap().clone()
    }

    pub(crate) fn starts(&self) -> u32 {
        self.starts.load(Ordering::SeqCst)
    }

    /// The background tasks that are alive, of all runs.
    pub(crate) fn alive(&self) -> Vec<String> {
        let runs = self.runs.lock().unwrap();
        runs.iter().flat_map(TaskOwner::alive).collect()
    }

    pub(crate) fn last_run(&self) -> TaskOwner {
        self.runs.lock().unwrap().last().unwrap().clone()
    }

    fn note(&self, what: &str) {
        self.log
            .lock()
            .unwrap()
            .push(format!("{} {what}", self.name));
    }

    fn moods(&self) -> Moods {
        *self.moods.lock().unwrap()
    }
}

#[async_trait]
impl ServiceLifecycle for Actor {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::Custom("actor".to_owned())
    }

    fn dependencies(&self) -> Vec<String> {
        self.dependencies.clone()
    }

    fn subscriptions(&self) -> Vec<EventFilter> {
        self.filters.clone()
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        self.runs.lock().unwrap().push(context.tasks.clone());
        let token = context.tasks.token().clone();
        context
            .tasks
            .spawn("background", async move { token.cancelled().await });
        self.note("starts");
        let fails = |left: u32| left.checked_sub(1);
        let counter = &self.failing_starts;
        if counter
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails)
            .is_ok()
        {
            return Err(ServiceError::Failed("not yet".to_owned()));
        }
        self.moods().start.act("start").await?;
        self.note("runs");
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        self.note("stops");
        self.moods().stop.act("stop").await?;
        self.note("stopped");
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        self.moods().health.act("health").await?;
        Ok(ServiceHealth::healthy())
    }

    async fn handle_event(&self, event: &DaemonEvent) -> Result<(), ServiceError> {
        self.moods().handle.act("handle").await?;
        if let EventPayload::Text(text) = &event.payload {
            self.handled.lock().unwrap().push(text.clone());
        }
        Ok(())
    }

    async fn configure(&self, section: &Value) -> Result<(), ServiceError> {
        let setting = section.get("setting").and_then(Value::as_u64);
        match setting {
            Some(13) => Err(ServiceError::Refused("13 is unlucky".to_owned())),
            Some(99) => panic!("99 is too much"),
            setting => {
                self.setting.store(setting.unwrap_or(0), Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

pub(crate) async fn core() -> CrucibleCore {
    CrucibleCoreBuilder::new().build().await.unwrap()
}

/// A core that runs with these services.
pub(crate) async fn core_with(services: &[&Arc<Actor>]) -> CrucibleCore {
    let core = core().await;
    for service in services {
        core.register_service(Arc::clone(service)).await.unwrap();
    }
    core.start().await.unwrap();
    core
}

pub(crate) async fn status(core: &CrucibleCore, name: &str) -> ServiceStatus {
    let services = core.list_services().await.unwrap();
    services
        .into_iter()
        .find(|service| service.name == name)
        .unwrap()
}

/// Waits, in simulated time, until the service is in the state.
pub(crate) async fn reaches(core: &CrucibleCore, name: &str, state: ServiceState) -> ServiceStatus {
    let mut last = None;
    let wait = async {
        loop {
            let status = status(core, name).await;
            if status.state == state {
                return status;
            }
            last = Some(status);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, wait).await {
        Ok(status) => status,
        Err(_elapsed) => panic!("{name} never is {state}: {last:?}"),
    }
}

/// Waits, in simulated time, until `holds`.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let result = tokio::time::timeout(DEADLINE, wait).await;
    assert!(result.is_ok(), "never: {what}");
}

pub(crate) fn event(text: &str) -> DaemonEvent {
    DaemonEvent::new(
        EventType::Custom {
            name: "test".to_owned(),
        },
        EventSource::manual("test"),
        EventPayload::text(text),
    )
}

pub(crate) fn to(name: &str, text: &str) -> DaemonEvent {
    event(text).with_target(ServiceTarget::new(name))
}

pub(crate) fn custom() -> Vec<EventFilter> {
    vec![EventFilter::category(EventCategory::Custom)]
}

/// The failures of a start or stop, as `service: reason`.
pub(crate) fn failures(error: Error) -> Vec<String> {
    let Error::Services { failures } = error else {
        panic!("expected failures of services, got {error:?}");
    };
    failures
        .into_iter()
        .map(|failure| format!("{}: {}", failure.service, failure.reason))
        .collect()
}
