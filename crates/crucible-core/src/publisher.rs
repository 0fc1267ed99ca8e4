//! Where services tell their events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use crucible_services::events::{DaemonEvent, EventPublisher};
use crucible_services::router::{RouteError, Router, RoutingReceipt};
/// Routes events, and logs each while the configuration asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    router: Router,
    /// Whether each event is logged; an atomic, since every event looks at it.
    logs_events: Arc<AtomicBool>,
}

impl Publisher {
    pub(crate) const fn new(router: Router, logs_events: Arc<AtomicBool>) -> Self {
        Self {
            router,
            logs_events,
        }
    }

    pub(crate) async fn route(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        if !self.logs_events.load(Ordering::Relaxed) {
            return self.router.route(event).await;
        }
        let id = event.id;
        let name = event.event_type.name().into_owned();
        let result = self.router.route(event).await;
        match &result {
            Ok(receipt) => {
                let refused: Vec<String> = receipt
                    .refusals()
                    .map(|(service, refusal)| format!("{service}: {refusal}"))
                    .collect();
                tracing::info!(
                    event.id = %id,
                    event.name = name,
                    accepted = receipt.accepted(),
                    refused = refused.join("; "),
                    "event routed"
                );
            }
            Err(error) => {
                tracing::info!(event.id = %id, event.name = name, %error, "event not routed");
            }
        }
        result
    }
}

#[async_trait]
impl EventPublisher for Publisher {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.route(event).await
    }
}
