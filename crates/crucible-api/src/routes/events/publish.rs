//! Events that somebody outside tells.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use crucible_core::RoutingReceipt;
use crucible_services::access::Principal;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventPriority, EventSource, EventType, ServiceTarget,
};
use crucible_services::ids::{CorrelationId, EventId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body::Body;
use crate::error::ApiError;
use crate::state::ApiState;

/// An event to tell. What services and the daemon tell themselves cannot be told from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// What happened; shown as `custom.NAME`.
    pub name: String,
    /// The detail; without it, no words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<EventPayload>,
    /// For whom; empty means everyone who subscribes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ServiceTarget>,
    /// Which lane of a mailbox it takes; normal when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<EventPriority>,
    /// Events of one key are handled in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl NewEvent {
    /// Begins an event with no detail, for everyone.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            payload: None,
            targets: Vec::new(),
            priority: None,
            ordering_key: None,
            labels: BTreeMap::new(),
        }
    }

    fn into_event(self, source: EventSource) -> DaemonEvent {
        let payload = self.payload.unwrap_or_else(|| EventPayload::text(""));
        let kind = EventType::Custom { name: self.name };
        let mut event = DaemonEvent::new(kind, source, payload)
            .with_priority(self.priority.unwrap_or_default());
        event.targets = self.targets;
        event.metadata.ordering_key = self.ordering_key;
        event.metadata.labels = self.labels;
        event
    }
}

/// What became of an event that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// The event.
    pub id: EventId,
    /// Shared by all that comes of it.
    pub correlation_id: CorrelationId,
    /// How many mailboxes accepted it.
    pub accepted: usize,
    /// What each service did that it was for; empty when nobody subscribes.
    pub deliveries: Vec<Delivered>,
}

/// What one service did with an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// The service.
    pub service: String,
    /// The instance whose mailbox accepted it; `null` when none did.
    pub instance: Option<String>,
    /// Why none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// `POST /events`
pub(crate) async fn publish(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(event): Body<NewEvent>,
) -> Result<Json<Published>, ApiError> {
    tell(&state, &principal, event).await.map(Json)
}

/// Tells an event in the name of who asks.
pub(crate) async fn tell(
    state: &ApiState,
    principal: &Principal,
    event: NewEvent,
) -> Result<Published, ApiError> {
    let source = EventSource::external(format!("api:{}", principal.name));
    let event = event.into_event(source);
    let (id, correlation_id) = (event.id, event.metadata.correlation_id);
    let receipt = state.parts.core.route_event(event).await?;
    Ok(Published {
        id,
        correlation_id,
        accepted: receipt.accepted(),
        deliveries: deliveries(&receipt),
    })
}

fn deliveries(receipt: &RoutingReceipt) -> Vec<Delivered> {
    let deliveries = receipt.deliveries.iter();
    deliveries
        .map(|delivery| Delivered {
            service: delivery.service.to_string(),
            instance: delivery.outcome.as_ref().ok().map(ToString::to_string),
            refused: delivery.outcome.as_ref().err().map(ToString::to_string),
        })
        .collect()
}
