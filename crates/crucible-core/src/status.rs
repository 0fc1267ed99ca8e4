//! What is known of one service.

use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::ServiceKind;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::state::ServiceState;

/// What is known of one service at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// The service's name.
    pub name: String,
    /// What sort of service it is.
    pub kind: ServiceKind,
    /// Its version, for people.
    pub version: String,
    /// Where it is.
    pub state: ServiceState,
    /// Whether it is running and not found unhealthy.
    pub ready: bool,
    /// The verdict of its health checks, with the words of the last one.
    pub health: ServiceHealth,
    /// How often it was started again since it was registered.
    pub restarts: u64,
    /// The services that must run before it starts.
    pub dependencies: Vec<String>,
    /// Those of them that it waits for now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<String>,
    /// Since when it is in its state.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// Why it last broke down, in words; kept until it is started by hand or has run long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
