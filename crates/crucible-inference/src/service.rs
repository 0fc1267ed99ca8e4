//! The engine as a supervised service, and as something to ask.
//!
//! Embeddings with a model of this machine go through `queue` to `worker`, one thread that owns
//! the models in memory (`shelf`) and the cache; it begins with `start` and is joined by `stop`.
//! Everything else goes to the providers. `tell` publishes what happens, `watch` what becomes of
//! generations.

mod ask;
mod figures;
mod job;
mod queue;
mod run;
mod settings;
mod shelf;
mod tell;
mod watch;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::config::InferenceConfig;
use crate::models::ModelLibrary;
use crate::providers::{BreakerState, Secrets};
use figures::Figures;
use job::Job;
use run::Run;
use settings::Settings;

/// The service's name.
const NAME: &str = "inference";
/// How long the worker may take for a sign of life; the core waits no more than 5 s.
const CHECK_DEADLINE: Duration = Duration::from_secs(4);

/// Computes embeddings in this process, and asks providers for everything else.
///
/// It can be asked once it is started. Models come from the library's folder and are loaded when
/// they are first used.
#[derive(Debug)]
pub struct InferenceService {
    library: ModelLibrary,
    secrets: Secrets,
    settings: Arc<ArcSwap<Settings>>,
    figures: Arc<Figures>,
    run: Mutex<Option<Arc<Run>>>,
}

impl InferenceService {
    /// Creates the service over the models in `models_dir`; nothing is loaded or sent.
    ///
    /// # Errors
    /// [`ServiceError::Refused`] with the setting at fault.
    pub fn new(
        config: InferenceConfig,
        models_dir: PathBuf,
        secrets: Secrets,
    ) -> Result<Self, ServiceError> {
        let settings = Settings::new(config, &secrets, None).map_err(ServiceError::Refused)?;
        Ok(Self {
            library: ModelLibrary::new(models_dir),
            secrets,
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            figures: Arc::default(),
            run: Mutex::default(),
        })
    }

    fn run(&self) -> MutexGuard<'_, Option<Arc<Run>>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the worker for a sign of life.
    async fn check_worker(&self, run: &Run) -> ServiceHealth {
        let before = self.figures.totals();
        let (reply, answer) = oneshot::channel();
        // Goes even into a full queue: whether that is worked off is what is asked.
        if run.queue.push(Job::Check(reply), usize::MAX).is_err() {
            return ServiceHealth::unhealthy("the inference engine is being stopped");
        }
        match tokio::time::timeout(CHECK_DEADLINE, answer).await {
            Ok(Ok(Ok(()))) => self.check_queue(run),
            Ok(Ok(Err(fault))) => ServiceHealth::unhealthy(fault),
            Ok(Err(_dropped)) => {
                ServiceHealth::unhealthy("the thread that computes embeddings gave no answer")
            }
            Err(_elapsed) if self.figures.totals() != before => {
                ServiceHealth::degraded("embeddings take long; the machine is busy")
            }
            Err(_elapsed) => ServiceHealth::unhealthy(format!(
                "the thread that computes embeddings did nothing for {} s; restart the service",
                CHECK_DEADLINE.as_secs()
            )),
        }
    }

    fn check_queue(&self, run: &Run) -> ServiceHealth {
        let settings = self.settings.load();
        let resting: Vec<String> = settings
            .providers
            .health()
            .into_iter()
            .filter(|provider| provider.breaker == BreakerState::Open)
            .map(|provider| {
                let trouble = provider.trouble.unwrap_or_default();
                format!(
                    "provider {:?} is not asked for now: {trouble}",
                    provider.provider
                )
            })
            .collect();
        if run.queue.len() >= settings.config.queue_max {
            ServiceHealth::degraded("the queue is full, and requests are refused")
        } else if resting.is_empty() {
            ServiceHealth::healthy()
        } else {
            ServiceHealth::degraded(resting.join("; "))
        }
    }
}

#[async_trait]
impl ServiceLifecycle for InferenceService {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::InferenceEngine
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        let mut current = self.run();
        if current.as_ref().is_some_and(|run| run.is_alive()) {
            return Err(ServiceError::Refused(
                "the inference engine is running already".to_owned(),
            ));
        }
        let run = Run::start(&context, &self.settings, &self.figures)?;
        *current = Some(Arc::new(run));
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        let Some(run) = self.run().take() else {
            return Ok(());
        };
        run.stop().await
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        let Some(run) = self.run().clone().filter(|run| run.is_alive()) else {
            return Ok(ServiceHealth::unhealthy(
                "the thread that computes embeddings is not running; start the service",
            ));
        };
        let mut health = self.check_worker(&run).await;
        let totals = self.figures.totals();
        let name = self.settings.load().config.embedding_model.clone();
        let is_installed = self.find_here(&name).await.is_ok();
        if !is_installed && health.message.is_none() {
            // Not a fault: everything but search by meaning works without a model.
            health.message = Some(format!("no model {name:?} here: {}", ask::hint(&name)));
        }
        Ok(health
            .with_detail("embedding_model_installed", is_installed)
            .with_detail("models_loaded", self.figures.loaded_models())
            .with_detail("queued", run.queue.len())
            .with_detail("requests", totals.requests)
            .with_detail("texts", totals.texts)
            .with_detail("texts_cached", totals.cached)
            .with_detail("tokens", totals.tokens))
    }

    async fn configure(&self, section: &Value) -> Result<(), ServiceError> {
        let config: InferenceConfig = serde_json::from_value(section.clone())
            .map_err(|error| ServiceError::Refused(error.to_string()))?;
        let old = self.settings.load();
        let settings = Settings::new(config, &self.secrets, Some(&old));
        self.settings
            .store(Arc::new(settings.map_err(ServiceError::Refused)?));
        if let Some(run) = self.run().as_ref() {
            run.queue.poke();
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
