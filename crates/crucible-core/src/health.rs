//! The health of the whole, and what it is made of.

use std::collections::BTreeMap;

use crucible_services::health::{HealthStatus, ServiceHealth};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::state::{CoreState, ServiceState};
use crate::status::ServiceStatus;

/// The health of the whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemHealth {
    /// The verdict: the worst of all services', `Unknown` while the core does not run.
    pub status: HealthStatus,
    /// Why it is not healthy, one sentence each; empty when it is.
    pub reasons: Vec<String>,
    /// The verdict on each service, by name.
    pub services: BTreeMap<String, ServiceHealth>,
    /// When this was put together.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub checked_at: Timestamp,
}

/// The result of one health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthRecord {
    /// The service's name.
    pub service: String,
    /// When the check ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// What the check said.
    pub health: ServiceHealth,
    /// The verdict afterwards: one bad answer does not turn it.
    pub verdict: HealthStatus,
    /// How long the check took, in milliseconds.
    pub duration_ms: u64,
}

impl SystemHealth {
    /// Weighs what is known of all services.
    pub(crate) fn weigh(core: CoreState, services: &[ServiceStatus], now: Timestamp) -> Self {
        let mut status = HealthStatus::Healthy;
        let mut reasons = Vec::new();
        if core != CoreState::Running {
            status = HealthStatus::Unknown;
            reasons.push(format!("the core is {core}"));
        }
        for service in services {
            let (found, reason) = weigh_service(service);
            if let Some(reason) = reason {
                reasons.push(reason);
            }
            if core == CoreState::Running {
                status = worse(status, found);
            }
        }
        Self {
            status,
            reasons,
            services: services
                .iter()
                .map(|service| (service.name.clone(), service.health.clone()))
                .collect(),
            checked_at: now,
        }
    }
}

/// A service that runs and was not asked yet takes nothing away.
fn worse(one: HealthStatus, other: HealthStatus) -> HealthStatus {
    match other {
        HealthStatus::Unknown => one,
        other => one.max(other),
    }
}

fn weigh_service(service: &ServiceStatus) -> (HealthStatus, Option<String>) {
    let name = &service.name;
    let because = match &service.last_error {
        Some(error) => format!(": {error}"),
        None => String::new(),
    };
    match service.state {
        ServiceState::Running => match (service.health.status, &service.health.message) {
            (HealthStatus::Healthy, _) => (HealthStatus::Healthy, None),
            (HealthStatus::Unknown, _) => (HealthStatus::Unknown, None),
            (status, Some(message)) => (status, Some(format!("{name}: {message}"))),
            (status, None) => {
                let word = match status {
                    HealthStatus::Degraded => "restricted",
                    _ => "not healthy",
                };
                (status, Some(format!("{name} is {word}")))
            }
        },
        ServiceState::Failed | ServiceState::CrashLooping => {
            let reason = format!("{name} broke down{because}; start it again by hand");
            (HealthStatus::Unhealthy, Some(reason))
        }
        ServiceState::BackingOff => {
            let reason = format!("{name} broke down and is started again{because}");
            (HealthStatus::Degraded, Some(reason))
        }
        ServiceState::Starting if !service.waiting_for.is_empty() => {
            let waits = service.waiting_for.join(", ");
            let reason = format!("{name} waits for {waits}{because}");
            (HealthStatus::Degraded, Some(reason))
        }
        state => {
            let reason = format!("{name} is {state}{because}");
            (HealthStatus::Degraded, Some(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use crucible_services::service_traits::ServiceKind;

    use super::*;

    fn service(state: ServiceState, health: ServiceHealth) -> ServiceStatus {
        ServiceStatus {
            name: "s".to_owned(),
            kind: ServiceKind::DataStore,
            version: String::new(),
            state,
            ready: state == ServiceState::Running,
            health,
            restarts: 0,
            dependencies: Vec::new(),
            waiting_for: Vec::new(),
            since: Timestamp::UNIX_EPOCH,
            last_error: None,
        }
    }

    fn check(core: CoreState, services: &[ServiceStatus], status: HealthStatus, reasons: &[&str]) {
        let health = SystemHealth::weigh(core, services, Timestamp::UNIX_EPOCH);
        assert_eq!(health.status, status);
        assert_eq!(health.reasons, reasons);
    }

    #[test]
    fn worst_service_decides_and_is_named() {
        let healthy = service(ServiceState::Running, ServiceHealth::healthy());
        let slow = service(ServiceState::Running, ServiceHealth::degraded("slow disk"));
        let broken = ServiceStatus {
            last_error: Some("boom".to_owned()),
            ..service(ServiceState::Failed, ServiceHealth::default())
        };
        let running = CoreState::Running;
        check(running, &[], HealthStatus::Healthy, &[]);
        check(
            running,
            std::slice::from_ref(&healthy),
            HealthStatus::Healthy,
            &[],
        );
        let both = [healthy.clone(), slow];
        check(running, &both, HealthStatus::Degraded, &["s: slow disk"]);
        let reason = "s broke down: boom; start it again by hand";
        check(
            running,
            &[healthy, broken],
            HealthStatus::Unhealthy,
            &[reason],
        );
    }

    #[test]
    fn core_that_does_not_run_is_unknown() {
        let reasons = ["the core is stopped"];
        check(CoreState::Stopped, &[], HealthStatus::Unknown, &reasons);
    }
}
