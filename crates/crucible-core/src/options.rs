//! What can be said about one service when it is registered.

use std::time::Duration;

use crucible_services::router::Subscription;

/// How one service is supervised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOptions {
    /// How long `start` may take.
    pub start_deadline: Duration,
    /// How long draining the mailbox, `stop` and the end of background tasks may take together.
    pub stop_deadline: Duration,
    /// How long a health check may take.
    pub health_deadline: Duration,
    /// How long taking over a configuration section may take.
    pub configure_deadline: Duration,
    /// Which events the service gets untargeted, and what its full mailbox answers; `None` for
    /// what the service itself asks for, with the core's default answer.
    pub subscriptions: Option<Vec<Subscription>>,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            start_deadline: Duration::from_secs(60),
            stop_deadline: Duration::from_secs(30),
            health_deadline: Duration::from_secs(5),
            configure_deadline: Duration::from_secs(10),
            subscriptions: None,
        }
    }
}
