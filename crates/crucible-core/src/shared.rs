//! Any `Arc<S>` of a service as an `Arc<dyn ServiceLifecycle>`.

use std::sync::Arc;

use async_trait::async_trait;
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use serde_json::Value;

/// Passes everything on. Needed because an `Arc<S>` of an unsized `S` (such as
/// `dyn ServiceLifecycle` itself) cannot be turned into a trait object directly.
pub(crate) struct Shared<S: ?Sized>(pub(crate) Arc<S>);

#[async_trait]
impl<S: ServiceLifecycle + ?Sized> ServiceLifecycle for Shared<S> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> &str {
        self.0.version()
    }

    fn kind(&self) -> ServiceKind {
        self.0.kind()
    }

    fn dependencies(&self) -> Vec<String> {
        self.0.dependencies()
    }

    fn subscriptions(&self) -> Vec<EventFilter> {
        self.0.subscriptions()
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        self.0.start(context).await
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        self.0.stop().await
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        self.0.health_check().await
    }

    async fn handle_event(&self, event: &DaemonEvent) -> Result<(), ServiceError> {
        self.0.handle_event(event).await
    }

    async fn configure(&self, section: &Value) -> Result<(), ServiceError> {
        self.0.configure(section).await
    }
}
