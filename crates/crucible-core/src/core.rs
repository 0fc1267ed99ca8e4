//! The handle through which everything is asked of the core.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crucible_services::clock;
use crucible_services::events::{DaemonEvent, EventFilter, EventPublisher};
use crucible_services::health::ServiceHealth;
use crucible_services::ids::ServiceName;
use crucible_services::router::{
    EventSubscription, Instance, InstanceSpec, RouteError, Router, RoutingReceipt,
};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle};
use crucible_services::tasks::TaskOwner;
use futures_util::FutureExt as _;

use crate::config::{CoreConfig, CrucibleConfig};
use crate::error::{Error, Failure};
use crate::health::{HealthRecord, SystemHealth};
use crate::metrics::{CoreMetrics, MetricsSample};
use crate::shared::Shared;
use crate::state::{CoreState, ServiceState};
use crate::status::ServiceStatus;

/// Supervises services and routes events between them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CrucibleCore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    router: Router,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: CrucibleConfig,
    core: CoreState,
    members: BTreeMap<String, Member>,
    order: Vec<String>,
}

struct Member {
    service: Arc<dyn ServiceLifecycle>,
    instance: Arc<Instance>,
    status: ServiceStatus,
    tasks: Option<TaskOwner>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::unused_async,
    reason = "the contract is asynchronous throughout"
)]
impl CrucibleCore {
    /// Builds a core.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub async fn new(config: CoreConfig) -> Result<Self, Error> {
        config.validate()?;
        let router = Router::new(config.routing_config.clone(), config.event_queue_size);
        let state = State {
            config: config.into(),
            core: CoreState::Initialized,
            members: BTreeMap::new(),
            order: Vec::new(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                router,
                state: Mutex::new(state),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts all services in the order of their registration.
    ///
    /// # Errors
    /// When one did not start.
    pub async fn start(&self) -> Result<(), Error> {
        self.inner.router.open();
        let names = self.state().order.clone();
        for name in names {
            self.start_service(&name).await?;
        }
        self.state().core = CoreState::Running;
        Ok(())
    }

    /// Stops all services in reverse order.
    ///
    /// # Errors
    /// When one did not stop cleanly.
    pub async fn stop(&self) -> Result<(), Error> {
        let names = self.state().order.clone();
        for name in names.iter().rev() {
            self.stop_service(name).await?;
        }
        self.inner.router.close();
        self.state().core = CoreState::Stopped;
        Ok(())
    }

    /// Stops and starts.
    ///
    /// # Errors
    /// As [`CrucibleCore::stop`] and [`CrucibleCore::start`].
    pub async fn restart(&self) -> Result<(), Error> {
        self.stop().await?;
        self.start().await
    }

    /// Returns where the core is.
    pub async fn get_state(&self) -> CoreState {
        self.state().core
    }

    /// Registers a service.
    ///
    /// # Errors
    /// When the name is taken.
    pub async fn register_service<S: ServiceLifecycle + ?Sized>(
        &self,
        service: Arc<S>,
    ) -> Result<(), Error> {
        let service: Arc<dyn ServiceLifecycle> = Arc::new(Shared(service));
        let name = service.name().to_owned();
        if self.state().members.contains_key(&name) {
            return Err(Error::DuplicateService { name });
        }
        let spec = InstanceSpec {
            service: ServiceName::new(name.clone()),
            kind: service.kind(),
            subscriptions: service
                .subscriptions()
                .into_iter()
                .map(Into::into)
                .collect(),
        };
        let (instance, _faults) =
            self.inner
                .router
                .add(spec, Arc::clone(&service))
                .map_err(|e| Error::InvalidName {
                    name: name.clone(),
                    reason: e.to_string(),
                })?;
        let status = ServiceStatus {
            name: name.clone(),
            kind: service.kind(),
            version: service.version().to_owned(),
            state: ServiceState::Registered,
            ready: false,
            health: ServiceHealth::default(),
            restarts: 0,
            dependencies: service.dependencies(),
            waiting_for: Vec::new(),
            since: clock::now(),
            last_error: None,
        };
        let is_running = {
            let mut state = self.state();
            state.order.push(name.clone());
            state.members.insert(
                name.clone(),
                Member {
                    service,
                    instance: Arc::new(instance),
                    status,
                    tasks: None,
                },
            );
            state.core == CoreState::Running
        };
        if is_running {
            self.start_service(&name).await
        } else {
            Ok(())
        }
    }

    /// Stops a service and forgets it.
    ///
    /// # Errors
    /// When there is no such service.
    pub async fn unregister_service(&self, name: &str) -> Result<(), Error> {
        self.stop_service(name).await?;
        let mut state = self.state();
        state.order.retain(|other| other != name);
        state.members.remove(name);
        Ok(())
    }

    /// Starts one service.
    ///
    /// # Errors
    /// When it does not exist or does not start.
    pub async fn start_service(&self, name: &str) -> Result<(), Error> {
        let service = self.get_service(name).await?;
        let tasks = TaskOwner::new(name);
        let context = ServiceContext {
            tasks: tasks.clone(),
            events: self.publisher(),
        };
        let result = AssertUnwindSafe(service.start(context))
            .catch_unwind()
            .await;
        let mut state = self.state();
        let Some(member) = state.members.get_mut(name) else {
            return Err(Error::Ended);
        };
        if !matches!(result, Ok(Ok(()))) {
            member.status.state = ServiceState::Failed;
            return Err(Error::Services {
                failures: vec![Failure {
                    service: name.to_owned(),
                    reason: format!("{result:?}"),
                }],
            });
        }
        member.instance.resume();
        member.tasks = Some(tasks);
        member.status.state = ServiceState::Running;
        member.status.ready = true;
        member.status.since = clock::now();
        Ok(())
    }

    /// Stops one service.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn stop_service(&self, name: &str) -> Result<(), Error> {
        let service = self.get_service(name).await?;
        let (instance, tasks) = {
            let mut state = self.state();
            let Some(member) = state.members.get_mut(name) else {
                return Err(Error::Ended);
            };
            member.status.state = ServiceState::Stopped;
            member.status.ready = false;
            (Arc::clone(&member.instance), member.tasks.take())
        };
        instance.drain(Duration::from_secs(10)).await;
        instance.pause(Duration::from_secs(10)).await;
        if let Some(tasks) = tasks {
            let _result = AssertUnwindSafe(service.stop()).catch_unwind().await;
            let _left = tasks.shutdown(Duration::from_secs(10)).await;
        }
        Ok(())
    }

    /// Stops and starts one service.
    ///
    /// # Errors
    /// When it does not exist or does not start.
    pub async fn restart_service(&self, name: &str) -> Result<(), Error> {
        self.stop_service(name).await?;
        self.start_service(name).await
    }

    /// Returns a service.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn get_service(&self, name: &str) -> Result<Arc<dyn ServiceLifecycle>, Error> {
        let state = self.state();
        let member = state.members.get(name);
        member
            .map(|member| Arc::clone(&member.service))
            .ok_or_else(|| Error::NoSuchService {
                name: name.to_owned(),
                near: Vec::new(),
            })
    }

    /// Returns what is known of each service, by name.
    ///
    /// # Errors
    /// When the core has ended.
    pub async fn list_services(&self) -> Result<Vec<ServiceStatus>, Error> {
        Ok(self
            .state()
            .members
            .values()
            .map(|member| member.status.clone())
            .collect())
    }

    /// Routes an event.
    ///
    /// # Errors
    /// When it is invalid or the core does not run.
    pub async fn route_event(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.inner.router.route(event).await
    }

    /// Asks every service how it is.
    ///
    /// # Errors
    /// When the core has ended.
    pub async fn perform_health_check(&self) -> Result<BTreeMap<String, ServiceHealth>, Error> {
        let services: Vec<_> = self
            .state()
            .members
            .iter()
            .map(|(name, member)| (name.clone(), Arc::clone(&member.service)))
            .collect();
        let mut found = BTreeMap::new();
        for (name, service) in services {
            let health = service
                .health_check()
                .await
                .unwrap_or_else(|error| ServiceHealth::unhealthy(error.to_string()));
            if let Some(member) = self.state().members.get_mut(&name) {
                member.status.health = health.clone();
            }
            found.insert(name, health);
        }
        Ok(found)
    }

    /// Returns the health of the whole.
    ///
    /// # Errors
    /// When the core has ended.
    pub async fn get_system_health(&self) -> Result<SystemHealth, Error> {
        let services = self.list_services().await?;
        Ok(SystemHealth::weigh(
            self.get_state().await,
            &services,
            clock::now(),
        ))
    }

    /// Returns the last health checks, oldest first.
    pub async fn get_health_history(&self) -> Vec<HealthRecord> {
        Vec::new()
    }

    /// Returns figures.
    ///
    /// # Errors
    /// When the core has ended.
    pub async fn get_metrics(&self) -> Result<CoreMetrics, Error> {
        let mut metrics = CoreMetrics {
            state: self.get_state().await,
            ..CoreMetrics::default()
        };
        let stats = self.inner.router.stats();
        metrics.events.routed = stats.routed;
        metrics.events.delivered = stats.total().delivered;
        Ok(metrics)
    }

    /// Returns samples of the figures, oldest first.
    pub async fn get_metrics_history(&self) -> Vec<MetricsSample> {
        Vec::new()
    }

    /// Takes over another configuration.
    ///
    /// # Errors
    /// When it is not valid.
    pub async fn update_config(&self, config: impl Into<CrucibleConfig>) -> Result<(), Error> {
        let config = config.into();
        config.core.validate()?;
        self.inner.router.reconfigure(
            config.core.routing_config.clone(),
            config.core.event_queue_size,
        );
        self.state().config = config;
        Ok(())
    }

    /// Observes events.
    #[must_use]
    pub fn subscribe_events(&self, filter: EventFilter) -> EventSubscription {
        self.inner.router.subscribe(filter)
    }

    /// Returns the last events, oldest first.
    #[must_use]
    pub fn recent(&self, filter: &EventFilter, limit: usize) -> Vec<Arc<DaemonEvent>> {
        self.inner.router.recent(filter, limit)
    }

    /// Returns where to tell events.
    #[must_use]
    pub fn publisher(&self) -> Arc<dyn EventPublisher> {
        Arc::new(self.inner.router.clone())
    }
}
