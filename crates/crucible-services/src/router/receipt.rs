//! What became of an event: accepted where, refused why.

use serde::Serialize;

use super::mailbox::Push;
use super::slot::Slot;
use crate::ids::{InstanceId, ServiceName};

/// Where one event was accepted, and where not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoutingReceipt {
    /// One entry for each group that the event was meant for; empty when nobody subscribes.
    pub deliveries: Vec<Delivery>,
}

impl RoutingReceipt {
    /// Returns how many mailboxes accepted the event.
    #[must_use]
    pub fn accepted(&self) -> usize {
        let accepted = |delivery: &&Delivery| delivery.outcome.is_ok();
        self.deliveries.iter().filter(accepted).count()
    }

    /// Returns the groups that did not accept the event, and why.
    pub fn refusals(&self) -> impl Iterator<Item = (&ServiceName, &Refusal)> {
        self.deliveries.iter().filter_map(|delivery| {
            let refusal = delivery.outcome.as_ref().err()?;
            Some((&delivery.service, refusal))
        })
    }
}

/// What became of an event at one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The group.
    pub service: ServiceName,
    /// The instance whose mailbox accepted it, or why none did.
    pub outcome: Result<InstanceId, Refusal>,
}

impl Delivery {
    pub(super) fn of(slot: &Slot, push: Push) -> Self {
        let id = slot.id();
        let outcome = match push {
            Push::Accepted { .. } => Ok(id.clone()),
            Push::Full => Err(Refusal::Full),
            Push::Closed => Err(Refusal::NotRunning),
        };
        Self {
            service: id.service.clone(),
            outcome,
        }
    }
}

/// Why a group did not accept an event. Messages read after "refused: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The mailbox had no room within the time that the subscription gives.
    #[error("the mailbox is full")]
    Full,
    /// The service is stopping or has been stopped.
    #[error("the service is not running")]
    NotRunning,
    /// No service has the name, or is of the kind, that the event targets.
    #[error("no such service is registered")]
    NoSuchService,
    /// The group has no instance with that number.
    #[error("the service has no such instance")]
    NoSuchInstance,
}

/// Why an event was not routed at all. Messages read after "failed to route: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A field of the event is not valid.
    #[error("{field} is not valid: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Routing has not begun or has ended.
    #[error("the router is closed")]
    Closed,
}
