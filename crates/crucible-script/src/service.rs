//! The engine as a supervised service, and as the capability that others ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use crucible_services::events::{DaemonEvent, EventCategory, EventFilter, ScriptEventType};
use crucible_services::health::ServiceHealth;
use crucible_services::script::{CallOutcome, CallRequest, Error, LogLine, ScriptInfo};
use crucible_services::service_traits::{
    ScriptEngine, ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use tokio::sync::oneshot;

use crate::broker::Desk;
use crate::calling::Caller;
use crate::capability::Capability;
use crate::config::{ScriptConfig, ScriptHost};
use crate::engine::Engine;
use crate::isolated::IsolatedWorkers;
use crate::job::{Job, Wake};
use crate::log;
use crate::protocol::{Level, ScriptSource};
use crate::runner::Runner;
use crate::slot::Slot;
use crate::worker::WorkerCommand;
use crate::{grants, package, scheduling, wake, watching};

/// The name of the service.
pub const SERVICE_NAME: &str = "scripts";
/// The most complaints that one health answer names.
const COMPLAINTS_MAX: usize = 5;

/// Runs the scripts of one folder while it is started.
#[derive(Debug)]
pub struct ScriptService {
    config: Arc<ScriptConfig>,
    host: ScriptHost,
    runner: Arc<dyn Runner>,
    engine: Mutex<Option<Arc<Engine>>>,
}

impl ScriptService {
    /// Creates the service; nothing happens before it is started.
    #[must_use]
    pub fn new(config: ScriptConfig, host: ScriptHost, worker: WorkerCommand) -> Self {
        let runner = IsolatedWorkers::new(worker, config.workers_max);
        Self::with_runner(config, host, Arc::new(runner))
    }

    pub(crate) fn with_runner(
        config: ScriptConfig,
        host: ScriptHost,
        runner: Arc<dyn Runner>,
    ) -> Self {
        Self {
            config: Arc::new(config),
            host,
            runner,
            engine: Mutex::default(),
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Engine>>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the run, if there is one.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, Error> {
        self.current().clone().ok_or_else(|| {
            Error::Unavailable(
                "the script engine is not running; `crucible services` shows why".to_owned(),
            )
        })
    }

    /// Hands a call to its script and waits for the outcome.
    pub(crate) async fn run(
        &self,
        request: CallRequest,
        read_only: bool,
    ) -> Result<CallOutcome, Error> {
        let slot = self.engine()?.slot(&request.script)?;
        // A script that is off or faulty says so at once.
        slot.force()?;
        let (reply, answer) = oneshot::channel();
        let job = Job::Call {
            request,
            read_only,
            reply,
        };
        let busy = |_| {
            Error::Unavailable(format!(
                "{} calls wait for {:?} already; try again later",
                slot.queue.waiting(),
                slot.name
            ))
        };
        slot.queue.push_call(job).map_err(busy)?;
        answer
            .await
            .map_err(|_| Error::Unavailable("the script engine is stopping".to_owned()))?
    }

    fn offer(&self, slot: &Slot, event: &DaemonEvent) {
        let Ok(force) = slot.force() else {
            return;
        };
        let name = event.event_type.name();
        if !force
            .version
            .wakers
            .iter()
            .any(|waker| waker.may_want(&name))
        {
            return;
        }
        let Some(sight) = wake::sight(event, &force.scopes) else {
            return;
        };
        let wakers = force.version.wakers.iter();
        for waker in wakers.filter(|waker| waker.wants(&sight)) {
            let function = &waker.handler.function;
            let cause = event.as_cause();
            if cause.depth > self.config.causes_max {
                let message = format!(
                    "not woken: the chain of causes is longer than {}; scripts probably answer \
                     each other without end",
                    self.config.causes_max
                );
                slot.write(log::line(Level::Warn, function, &message, Some(&cause)));
                continue;
            }
            let dropped = slot.queue.push_event(Job::Event(Wake {
                function: function.clone(),
                event: sight.value.clone(),
                paths: sight.paths.clone(),
                tags: waker.handler.tags.clone(),
                cause,
            }));
            if dropped.is_some() {
                let count = slot.count_dropped();
                let message = format!(
                    "the oldest waiting event was dropped: more than {} waited; {count} so far",
                    self.config.queue_max
                );
                slot.write(log::line(Level::Warn, function, &message, Some(&cause)));
            }
        }
    }
}

#[async_trait]
impl ServiceLifecycle for ScriptService {
    fn name(&self) -> &'static str {
        SERVICE_NAME
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::ScriptEngine
    }

    fn dependencies(&self) -> Vec<String> {
        vec!["datastore".to_owned()]
    }

    /// All events but those about scripts: which ones wake a script is for its manifest to say,
    /// and manifests come and go.
    fn subscriptions(&self) -> Vec<EventFilter> {
        use EventCategory as Category;
        vec![EventFilter {
            categories: vec![
                Category::Filesystem,
                Category::Database,
                Category::External,
                Category::Mcp,
                Category::Inference,
                Category::Service,
                Category::System,
                Category::Custom,
            ],
            ..EventFilter::default()
        }]
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        let tasks = context.tasks.clone();
        let engine = {
            let mut current = self.current();
            if current
                .as_ref()
                .is_some_and(|run| !run.token.is_cancelled())
            {
                return Err(ServiceError::Refused(
                    "the script engine is running already".to_owned(),
                ));
            }
            let caller = Caller {
                desk: Desk {
                    host: self.host.clone(),
                    config: Arc::clone(&self.config),
                    context: Some(context),
                },
                runner: Arc::clone(&self.runner),
            };
            let engine = Arc::new(Engine::new(caller, tasks.token().child_token()));
            *current = Some(Arc::clone(&engine));
            engine
        };
        self.runner.open();
        engine.scan().await;
        tasks.spawn("watch scripts", watching::follow(Arc::clone(&engine)));
        tasks.spawn("schedules", scheduling::follow(engine));
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        let engine = self.current().take();
        if let Some(engine) = engine {
            engine.token.cancel();
            for slot in engine.slots() {
                slot.queue.close();
            }
        }
        self.runner.shutdown().await;
        Ok(())
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        let Ok(engine) = self.engine() else {
            return Ok(ServiceHealth::unhealthy("the script engine is not running"));
        };
        let slots = engine.slots();
        let complaints: Vec<String> = slots.iter().filter_map(|slot| slot.complaint()).collect();
        let health = if complaints.is_empty() {
            ServiceHealth::healthy()
        } else {
            let shown = complaints[..complaints.len().min(COMPLAINTS_MAX)].join("; ");
            ServiceHealth::degraded(shown)
        };
        let waiting: usize = slots.iter().map(|slot| slot.queue.waiting()).sum();
        Ok(health
            .with_detail("scripts", slots.len())
            .with_detail("workers", self.runner.living())
            .with_detail("waiting", waiting))
    }

    async fn handle_event(&self, event: &DaemonEvent) -> Result<(), ServiceError> {
        if let Ok(engine) = self.engine() {
            for slot in engine.slots() {
                self.offer(&slot, event);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ScriptEngine for ScriptService {
    async fn scripts(&self) -> Result<Vec<ScriptInfo>, Error> {
        Ok(self
            .engine()?
            .slots()
            .iter()
            .map(|slot| slot.info())
            .collect())
    }

    async fn check(&self, source: &str) -> Result<(), Error> {
        let version = blake3::hash(source.as_bytes()).to_hex().to_string();
        let source = ScriptSource {
            // No script can have this name, so a check never stands in the way of one.
            script: "(check)".to_owned(),
            version,
            entry: package::ENTRY.to_owned(),
            files: [(package::ENTRY.to_owned(), source.to_owned())].into(),
        };
        let compiled = self.runner.check(&Arc::new(source)).await?;
        compiled.fault().map_or(Ok(()), Err)
    }

    async fn call(&self, request: CallRequest) -> Result<CallOutcome, Error> {
        self.run(request, false).await
    }

    async fn grant(
        &self,
        script: &str,
        manifest: &str,
        capabilities: &[String],
        by: &str,
    ) -> Result<ScriptInfo, Error> {
        let engine = self.engine()?;
        let slot = engine.slot(script)?;
        let (hash, requested) = {
            let state = slot.state();
            let Some(force) = &state.force else {
                return Err(Error::Refused(format!(
                    "no version of {script:?} is in force, so there is nothing to grant; mend it first"
                )));
            };
            let manifest = &force.version.manifest;
            (manifest.hash.clone(), manifest.capabilities.clone())
        };
        if hash != manifest {
            return Err(Error::Refused(format!(
                "the manifest of {script:?} has changed since it was shown; look at it again"
            )));
        }
        let mut granted = Vec::new();
        for text in capabilities {
            let capability: Capability =
                text.parse()
                    .map_err(|error: crate::capability::UnknownCapability| {
                        Error::Refused(error.to_string())
                    })?;
            if !requested.contains(&capability) {
                return Err(Error::Refused(format!(
                    "{script:?} does not ask for `{capability}`"
                )));
            }
            granted.push(capability);
        }
        let state = self.host.state.as_ref();
        let grant = grants::keep(state, script, &hash, &granted, by).await?;
        engine.regrant(&slot, grant)?;
        let info = slot.info();
        let told = ScriptEventType::Granted {
            script: script.to_owned(),
            capabilities: info.granted.clone(),
        };
        engine.caller.tell(told, None).await;
        let words = match info.granted.as_slice() {
            [] => format!("{by} took all grants back"),
            some => format!("{by} granted {}", some.join(", ")),
        };
        slot.write(log::line(Level::Info, "", &words, None));
        Ok(info)
    }

    async fn reload(&self, script: &str) -> Result<ScriptInfo, Error> {
        Ok(self.engine()?.reload(script).await?.info())
    }

    async fn log(&self, script: &str, limit: usize) -> Result<Vec<LogLine>, Error> {
        Ok(self.engine()?.slot(script)?.log(limit))
    }
}

#[cfg(test)]
mod tests;
