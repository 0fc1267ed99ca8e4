//! What is known of services, in protobuf's shape.

use crucible_core::{ServiceState, ServiceStatus};
use crucible_services::health::{HealthStatus, ServiceHealth};

use super::proto;
use super::values::{moment, twins, value};

twins!(told ServiceState, Registered Starting Running Draining Stopping Stopped Failed BackingOff CrashLooping);
twins!(told HealthStatus, Healthy Degraded Unhealthy Unknown);

impl From<ServiceStatus> for proto::ServiceStatus {
    fn from(status: ServiceStatus) -> Self {
        Self {
            name: status.name,
            kind: status.kind.to_string(),
            version: status.version,
            state: proto::ServiceState::from(status.state).into(),
            ready: status.ready,
            health: Some(status.health.into()),
            restarts: status.restarts,
            dependencies: status.dependencies,
            waiting_for: status.waiting_for,
            since: Some(moment(status.since)),
            last_error: status.last_error,
        }
    }
}

impl From<ServiceHealth> for proto::ServiceHealth {
    fn from(health: ServiceHealth) -> Self {
        let details = health.details.into_iter();
        Self {
            status: proto::HealthStatus::from(health.status).into(),
            message: health.message,
            details: details.map(|(name, json)| (name, value(json))).collect(),
        }
    }
}
