//! How an event reaches the services that subscribe to it.

use crate::ids::{InstanceId, ServiceName};

/// Where one event was accepted, and where not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingReceipt {
    /// One entry for each group that the event was meant for.
    pub deliveries: Vec<Delivery>,
}

/// What became of an event at one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The group.
    pub service: ServiceName,
    /// The instance whose mailbox accepted it, or why none did.
    pub outcome: Result<InstanceId, String>,
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
