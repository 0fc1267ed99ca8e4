//! How a service tells an event without knowing who routes it.

use std::fmt;

use async_trait::async_trait;

use super::DaemonEvent;
use crate::router::{RouteError, RoutingReceipt};

/// Accepts events on behalf of the router.
#[async_trait]
pub trait EventPublisher: Send + Sync + fmt::Debug {
    /// Routes `event` to those it is meant for, and says where it was accepted.
    ///
    /// # Errors
    /// When the event is invalid or routing is closed; see [`RouteError`].
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError>;
}
