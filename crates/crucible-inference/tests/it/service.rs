//! The service with a model of a few kilobytes: queue, models in memory, faults, stopping.

mod faults;
mod lanes;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_inference::providers::Secrets;
use crucible_inference::{InferenceConfig, InferenceService};
use crucible_services::events::{DaemonEvent, EventPublisher, EventType, InferenceEventType};
use crucible_services::health::HealthStatus;
use crucible_services::inference::{
    EmbedRequest, Embeddings, Error, GenerateRequest, InferenceEngine as _, Message, ModelKind,
    Role, Urgency,
};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceError, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use serde_json::json;
use tokio::sync::mpsc;

use crate::tiny;

/// How long anything may take before the test counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Listener(mpsc::Sender<InferenceEventType>);

#[async_trait]
impl EventPublisher for Listener {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        if let EventType::Inference(event) = event.event_type {
            self.0.send(event).await.unwrap();
        }
        Ok(RoutingReceipt {
            deliveries: Vec::new(),
        })
    }
}

struct Place {
    temp: tempfile::TempDir,
    service: Arc<InferenceService>,
    events: mpsc::Receiver<InferenceEventType>,
    tasks: TaskOwner,
}

impl Place {
    /// A service that is running, with the models `m` and `other`.
    async fn new(config: InferenceConfig) -> Self {
        let place = Self::without_models(config).await;
        tiny::write(&place.model("m"));
        tiny::write(&place.model("other"));
        place
    }

    async fn without_models(config: InferenceConfig) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let models = temp.path().join("models");
        let service = InferenceService::new(config, models, Secrets::none()).unwrap();
        let (listener, events) = mpsc::channel(1000);
        let tasks = TaskOwner::new("test");
        let context = ServiceContext {
            tasks: tasks.clone(),
            events: Arc::new(Listener(listener)),
        };
        service.start(context).await.unwrap();
        Self {
            temp,
            service: Arc::new(service),
            events,
            tasks,
        }
    }

    fn model(&self, name: &str) -> PathBuf {
        self.temp.path().join("models").join(name)
    }

    async fn embed(&self, texts: &[&str]) -> Result<Embeddings, Error> {
        self.embed_with("m", texts).await
    }

    async fn embed_with(&self, model: &str, texts: &[&str]) -> Result<Embeddings, Error> {
        let request = request(model, texts, Urgency::Interactive);
        tokio::time::timeout(STUCK, self.service.embed(request))
            .await
            .unwrap()
    }

    /// Waits for the next event for which `found` says something.
    async fn event<T>(&mut self, found: impl Fn(InferenceEventType) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = found(self.events.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        tokio::time::timeout(STUCK, waiting).await.unwrap()
    }

    async fn stop(&self) {
        self.service.stop().await.unwrap();
        self.tasks.shutdown(STUCK).await.unwrap();
    }
}

fn config() -> InferenceConfig {
    InferenceConfig {
        embedding_model: "m".to_owned(),
        threads: 2,
        ..InferenceConfig::default()
    }
}

fn request(model: &str, texts: &[&str], urgency: Urgency) -> EmbedRequest {
    EmbedRequest {
        model: Some(model.to_owned()),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        urgency,
    }
}

fn unloaded(event: InferenceEventType) -> Option<(String, String)> {
    match event {
        InferenceEventType::ModelUnloaded { model, reason } => Some((model, reason)),
        _ => None,
    }
}

fn loaded(event: InferenceEventType) -> Option<String> {
    match event {
        InferenceEventType::ModelLoaded { model, .. } => Some(model),
        _ => None,
    }
}

#[tokio::test]
async fn texts_get_vectors_of_unit_length_that_do_not_depend_on_company() {
    let place = Place::new(config()).await;
    let texts = [
        "hello world",
        "a b c a b c a b c a b c a b c a b c",
        "",
        "note",
    ];
    let together = place.embed(&texts).await.unwrap();
    assert_eq!(
        (together.dimensions, together.vectors.len()),
        (tiny::HIDDEN, 4)
    );
    // Two marks around each text; the second is cut to what the model reads.
    assert_eq!(together.tokens, 4 + 16 + 2 + 3);
    for (text, vector) in texts.iter().zip(&together.vectors) {
        let square: f32 = vector.iter().map(|value| value * value).sum();
        assert!((square - 1.0).abs() < 1e-5, "{text}: {square}");
        let alone = place.embed_with("other", &[text]).await.unwrap();
        let cosine: f32 = vector
            .iter()
            .zip(&alone.vectors[0])
            .map(|(a, b)| a * b)
            .sum();
        assert!(cosine > 0.999_99, "{text}: {cosine}");
    }
    let distance: f32 = together.vectors[0]
        .iter()
        .zip(&together.vectors[3])
        .map(|(a, b)| a * b)
        .sum();
    assert!(distance < 0.999, "{distance}");
    place.stop().await;
}

#[tokio::test]
async fn known_text_is_not_computed_again() {
    let place = Place::new(config()).await;
    let first = place.embed(&["hello"]).await.unwrap();
    let again = place.embed(&["hello", "world"]).await.unwrap();
    assert_eq!(first.vectors[0], again.vectors[0]);
    // Only `world` and the marks around it were read.
    assert_eq!(again.tokens, 3);
    let health = place.service.health_check().await.unwrap();
    assert_eq!(health.details["texts_cached"], json!(1));
    place.stop().await;
}

#[tokio::test]
async fn model_that_changed_on_the_disk_is_loaded_anew() {
    let mut place = Place::new(config()).await;
    let before = place.embed(&["hello"]).await.unwrap();
    std::fs::write(
        place.model("m").join("model.safetensors"),
        tiny::weights(0.3),
    )
    .unwrap();
    let after = place.embed(&["hello"]).await.unwrap();
    assert_ne!(before.revision, after.revision);
    assert_ne!(before.vectors, after.vectors);
    assert!(place.event(unloaded).await.1.contains("changed"));
    place.stop().await;
}

#[tokio::test]
async fn models_are_listed_with_whether_they_are_in_memory() {
    let place = Place::new(config()).await;
    place.embed(&["hello"]).await.unwrap();
    let models = place.service.models().await.unwrap();
    let seen: Vec<_> = models
        .iter()
        .map(|model| {
            (
                model.name.as_str(),
                model.provider.as_str(),
                model.kind,
                model.loaded,
            )
        })
        .collect();
    let kind = ModelKind::Embedding;
    assert_eq!(
        seen,
        [("m", "local", kind, true), ("other", "local", kind, false)]
    );
    let model = place.service.embedding_model().await.unwrap();
    assert_eq!(model, models[0]);
    place.stop().await;
}

#[tokio::test]
async fn model_is_loaded_on_first_use_and_unloaded_when_unused() {
    let mut place = Place::new(InferenceConfig {
        idle_unload: Duration::ZERO,
        ..config()
    })
    .await;
    place.embed(&["hello"]).await.unwrap();
    assert_eq!(place.event(loaded).await, "m");
    let (model, reason) = place.event(unloaded).await;
    assert_eq!(
        (model.as_str(), reason.as_str()),
        ("m", "unused for a while")
    );
    place.embed(&["world"]).await.unwrap();
    assert_eq!(place.event(loaded).await, "m");
    place.stop().await;
}

#[tokio::test]
async fn least_recently_used_model_leaves_when_memory_is_short() {
    let mut place = Place::new(InferenceConfig {
        memory_max_mb: 1,
        ..config()
    })
    .await;
    // What its files take stands for what a model takes in memory: nearly all, then too much.
    let pad = |bytes: usize| {
        let path = place.model("other").join("tokenizer_config.json");
        std::fs::write(path, format!("{}{{}}", " ".repeat(bytes))).unwrap();
    };
    pad(1 << 20);
    let error = place.embed_with("other", &["hello"]).await.unwrap_err();
    assert!(error.to_string().contains("memory_max_mb"), "{error}");
    pad((1 << 20) - 70_000);
    place.embed_with("m", &["hello"]).await.unwrap();
    place.embed_with("other", &["hello"]).await.unwrap();
    let (model, reason) = place.event(unloaded).await;
    assert_eq!(model, "m");
    assert!(reason.contains("needs its memory"), "{reason}");
    place.stop().await;
}

#[tokio::test]
async fn settings_change_while_it_runs_and_bad_ones_change_nothing() {
    let mut place = Place::new(config()).await;
    place.embed(&["hello"]).await.unwrap();
    let refused = place.service.configure(&json!({ "queue_max": 0 })).await;
    assert!(
        matches!(refused, Err(ServiceError::Refused(_))),
        "{refused:?}"
    );
    let refused = place.service.configure(&json!({ "thread": 1 })).await;
    assert!(
        matches!(refused, Err(ServiceError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(place.service.embedding_model().await.unwrap().name, "m");
    let section = json!({ "embedding_model": "other", "idle_unload": "0s" });
    place.service.configure(&section).await.unwrap();
    assert_eq!(place.service.embedding_model().await.unwrap().name, "other");
    // The shorter time holds at once for what is in memory already.
    assert_eq!(place.event(unloaded).await.0, "m");
    place.stop().await;
}

#[tokio::test]
async fn usage_is_told_every_so_often() {
    let mut place = Place::new(InferenceConfig {
        usage_interval: Duration::from_millis(20),
        ..config()
    })
    .await;
    place.embed(&["hello", "world"]).await.unwrap();
    let usage = |event| match event {
        InferenceEventType::Usage {
            requests,
            texts,
            tokens,
            ..
        } => Some((requests, texts, tokens)),
        _ => None,
    };
    // A time may have come while the texts waited; together it is told once.
    let mut told = (0, 0, 0);
    while told.0 < 1 {
        let (requests, texts, tokens) = place.event(usage).await;
        told = (told.0 + requests, told.1 + texts, told.2 + tokens);
    }
    assert_eq!(told, (1, 2, 6));
    place.stop().await;
}

#[tokio::test]
async fn generation_without_a_provider_says_so_and_is_told() {
    let mut place = Place::new(config()).await;
    let request = GenerateRequest {
        model: "llama".to_owned(),
        messages: vec![Message {
            role: Role::User,
            content: "Hello".to_owned(),
        }],
        tokens_max: 5,
        temperature: None,
        stop: Vec::new(),
    };
    let error = place.service.generate(request.clone()).await.unwrap_err();
    assert!(matches!(error, Error::ModelMissing { .. }), "{error:?}");
    let asked = |event| matches!(event, InferenceEventType::Requested { .. }).then_some(());
    let failed = |event| matches!(event, InferenceEventType::Failed { .. }).then_some(());
    place.event(asked).await;
    place.event(failed).await;
    assert!(place.service.generate_stream(request).await.is_err());
    place.event(asked).await;
    place.event(failed).await;
    place.stop().await;
}

#[tokio::test]
async fn service_is_healthy_without_a_model_and_says_how_to_get_one() {
    let place = Place::without_models(InferenceConfig::default()).await;
    let health = place.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy);
    let message = health.message.unwrap();
    assert!(
        message.contains("crucible models pull all-MiniLM-L6-v2"),
        "{message}"
    );
    place.stop().await;
    let health = place.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Unhealthy);
}

#[tokio::test]
async fn service_can_be_started_again_and_not_twice() {
    let place = Place::new(config()).await;
    let (listener, _events) = mpsc::channel(1000);
    let context = ServiceContext {
        tasks: TaskOwner::new("again"),
        events: Arc::new(Listener(listener)),
    };
    let twice = place.service.start(context.clone()).await;
    assert!(matches!(twice, Err(ServiceError::Refused(_))), "{twice:?}");
    place.stop().await;
    place.service.start(context).await.unwrap();
    place.embed(&["hello"]).await.unwrap();
    place.stop().await;
}
