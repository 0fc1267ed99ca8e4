//! What can be set about the core, and the sections that it hands to services.

use std::collections::BTreeMap;

use crucible_services::router::RoutingConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// Settings of the core. All take effect at once when they are changed live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoreConfig {
    /// How many services may be registered; 1 to 10,000.
    pub max_services: usize,
    /// How events are routed.
    pub routing_config: RoutingConfig,
    /// Seconds between two health checks of a service; 1 to 86,400.
    pub health_check_interval_s: u64,
    /// Seconds between two samples of the metrics history; 1 to 86,400.
    pub metrics_interval_s: u64,
    /// Whether a service that broke down is started again by itself.
    pub enable_auto_recovery: bool,
    /// How often in a row, before one try every five minutes; up to 1,000. An episode of
    /// failures ends when the service has run well for a while.
    pub max_recovery_attempts: u32,
    /// How many events each lane of a service's mailbox holds; 1 to 1,000,000.
    pub event_queue_size: usize,
    /// Whether every routed event and every health check is logged (at level `info`).
    pub enable_debug: bool,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            max_services: 100,
            routing_config: RoutingConfig::default(),
            health_check_interval_s: 30,
            metrics_interval_s: 60,
            enable_auto_recovery: true,
            max_recovery_attempts: 3,
            event_queue_size: 10_000,
            enable_debug: false,
        }
    }
}

impl CoreConfig {
    /// Says whether the settings can be used.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] with the field at fault.
    pub fn validate(&self) -> Result<(), Error> {
        let fields = [
            ("max_services", as_u64(self.max_services), 1, 10_000),
            (
                "health_check_interval_s",
                self.health_check_interval_s,
                1,
                86_400,
            ),
            ("metrics_interval_s", self.metrics_interval_s, 1, 86_400),
            (
                "max_recovery_attempts",
                self.max_recovery_attempts.into(),
                0,
                1_000,
            ),
            (
                "event_queue_size",
                as_u64(self.event_queue_size),
                1,
                1_000_000,
            ),
        ];
        for (field, value, least, most) in fields {
            if !(least..=most).contains(&value) {
                return Err(Error::InvalidConfig {
                    field: field.to_owned(),
                    reason: format!("{value} is not between {least} and {most}"),
                });
            }
        }
        self.routing_config
            .validate()
            .map_err(|(field, reason)| Error::InvalidConfig {
                field: format!("routing_config.{field}"),
                reason,
            })
    }
}

fn as_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The whole configuration: the core's settings, and one section for each service that has some.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrucibleConfig {
    /// The core's own settings.
    pub core: CoreConfig,
    /// What each service is handed through `configure`, by the service's name. A service that is
    /// left out keeps what it has.
    pub services: BTreeMap<String, Value>,
}

impl From<CoreConfig> for CrucibleConfig {
    fn from(core: CoreConfig) -> Self {
        Self {
            core,
            services: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_a_fault_names_its_field() {
        assert_eq!(CoreConfig::default().validate(), Ok(()));
        let check = |config: CoreConfig, expected: &str| match config.validate() {
            Err(Error::InvalidConfig { field, .. }) => assert_eq!(field, expected),
            other => panic!("expected {expected} to be refused, got {other:?}"),
        };
        let default = CoreConfig::default;
        check(
            CoreConfig {
                max_services: 0,
                ..default()
            },
            "max_services",
        );
        check(
            CoreConfig {
                event_queue_size: 0,
                ..default()
            },
            "event_queue_size",
        );
        check(
            CoreConfig {
                health_check_interval_s: 0,
                ..default()
            },
            "health_check_interval_s",
        );
        let routing_config = RoutingConfig {
            handle_deadline_ms: 0,
            ..RoutingConfig::default()
        };
        let config = CoreConfig {
            routing_config,
            ..default()
        };
        check(config, "routing_config.handle_deadline_ms");
    }

    #[test]
    fn configuration_is_read_from_json_and_unknown_fields_are_refused() {
        let json = r#"{"core": {"max_services": 7}, "services": {"mcp": {"a": 1}}}"#;
        let config: CrucibleConfig = serde_json::from_str(json).unwrap();
        assert_eq!(config.core.max_services, 7);
        assert_eq!(config.core.event_queue_size, 10_000);
        let json = r#"{"core": {"max_service": 7}}"#;
        assert!(serde_json::from_str::<CrucibleConfig>(json).is_err());
    }
}
