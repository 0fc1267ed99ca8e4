//! The service as a whole hands on what it cannot compute here, and tells what became of it.

use std::sync::Arc;

use async_trait::async_trait;
use crucible_inference::providers::{ProviderConfig, ProviderKind, ProvidersConfig, Secrets};
use crucible_inference::{InferenceConfig, InferenceService};
use crucible_services::events::{DaemonEvent, EventPublisher, EventType, InferenceEventType};
use crucible_services::health::HealthStatus;
use crucible_services::inference::{Error, InferenceEngine as _};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use serde_json::json;
use tokio::sync::mpsc;

use super::server::{Part, Reply, Server};
use super::{KEY, config, embed_request, fixtures, read, request};

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
    _models: tempfile::TempDir,
    service: InferenceService,
    events: mpsc::Receiver<InferenceEventType>,
}

impl Place {
    async fn new(provider: ProviderConfig) -> Self {
        let models = tempfile::tempdir().unwrap();
        let config = InferenceConfig {
            embedding_model: "m".to_owned(),
            providers: ProvidersConfig {
                list: vec![provider],
            },
            ..InferenceConfig::default()
        };
        let secrets = Secrets::new(|name| (name == "KEY").then(|| KEY.to_owned()));
        let folder = models.path().to_owned();
        let service = InferenceService::new(config, folder, secrets).unwrap();
        let (listener, events) = mpsc::channel(100);
        let context = ServiceContext {
            tasks: TaskOwner::new("test"),
            events: Arc::new(Listener(listener)),
        };
        service.start(context).await.unwrap();
        Self {
            _models: models,
            service,
            events,
        }
    }

    /// Returns the next event's name, the model, and the tokens where it tells them.
    async fn told(&mut self) -> (&'static str, String, u64) {
        match self.events.recv().await.unwrap() {
            InferenceEventType::Requested { model } => ("requested", model, 0),
            InferenceEventType::Completed {
                model,
                tokens_completion,
                ..
            } => ("completed", model, tokens_completion),
            InferenceEventType::Failed { model, .. } => ("failed", model, 0),
            other => panic!("nothing else happens here: {other:?}"),
        }
    }
}

fn told(name: &'static str, tokens: u64) -> (&'static str, String, u64) {
    (name, "m".to_owned(), tokens)
}

#[tokio::test]
async fn generations_come_from_providers_and_are_told() {
    let kind = ProviderKind::Anthropic;
    let server = Server::start([
        Reply::json(200, fixtures::generation(kind)),
        Reply::stream(kind, fixtures::stream(kind)),
        Reply::stream(kind, &fixtures::beginning(kind)).then(Part::Cut),
        Reply::json(401, "{}"),
    ])
    .await;
    let mut place = Place::new(config("p", kind, &server)).await;
    let answer = place.service.generate(request()).await.unwrap();
    assert_eq!(answer.text, "Hello there 🥖");
    assert_eq!(place.told().await, told("requested", 0));
    assert_eq!(place.told().await, told("completed", 7));

    for (text, end) in [
        ("Hello there 🥖", told("completed", 7)),
        ("Hello ", told("failed", 0)),
    ] {
        let stream = place.service.generate_stream(request()).await.unwrap();
        assert_eq!(place.told().await, told("requested", 0));
        assert_eq!(read(stream).await.0, text);
        assert_eq!(place.told().await, end);
    }

    assert!(place.service.generate(request()).await.is_err());
    assert_eq!(place.told().await, told("requested", 0));
    assert_eq!(place.told().await, told("failed", 0));
    place.service.stop().await.unwrap();
}

#[tokio::test]
async fn model_that_is_not_here_embeds_at_its_provider() {
    let kind = ProviderKind::OpenAi;
    let server = Server::saying(Reply::json(200, fixtures::vectors(kind))).await;
    let mut config = config("p", kind, &server);
    config.models[0].embeds = true;
    let place = Place::new(config).await;
    let info = place.service.embedding_model().await.unwrap();
    assert_eq!((info.name.as_str(), info.provider.as_str()), ("m", "p"));
    let mut request = embed_request(&["one", "two"]);
    request.model = None;
    let embeddings = place.service.embed(request).await.unwrap();
    assert_eq!(embeddings.vectors, [[0.6, 0.8], [0.0, -1.0]]);
    assert_eq!(embeddings.revision, info.revision);
    assert_eq!(place.service.models().await.unwrap(), [info]);
    place.service.stop().await.unwrap();
}

#[tokio::test]
async fn provider_that_is_left_alone_restricts_the_service_and_is_named() {
    let kind = ProviderKind::OpenAi;
    let server = Server::saying(Reply::json(500, "{}")).await;
    let mut config = config("p", kind, &server);
    config.breaker.failures_in_a_row = 1;
    let place = Place::new(config).await;
    assert!(place.service.generate(request()).await.is_err());
    let health = place.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(health.message.unwrap().contains("\"p\""));
    place.service.stop().await.unwrap();
}

#[tokio::test]
async fn providers_are_replaced_while_the_service_runs() {
    let kind = ProviderKind::Ollama;
    let server = Server::saying(Reply::json(200, fixtures::generation(kind))).await;
    let place = Place::new(config("p", kind, &server)).await;
    let none = json!({ "embedding_model": "m", "providers": [] });
    place.service.configure(&none).await.unwrap();
    let missing = place.service.generate(request()).await;
    assert!(matches!(missing, Err(Error::ModelMissing { .. })));
    let bad =
        json!({ "providers": [{ "name": "p", "kind": "openai", "base_url": "http://10.0.0.1" }] });
    let refused = place.service.configure(&bad).await.unwrap_err();
    assert!(
        refused.to_string().contains("allow_plain_http"),
        "{refused}"
    );
    let again = json!({ "providers": [config("p", kind, &server)] });
    place.service.configure(&again).await.unwrap();
    assert!(place.service.generate(request()).await.is_ok());
    place.service.stop().await.unwrap();
}
