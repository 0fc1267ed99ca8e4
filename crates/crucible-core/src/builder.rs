//! Puts the configuration of a core together, step by step.

use crucible_services::router::RoutingConfig;

use crate::config::CoreConfig;
use crate::core::CrucibleCore;
use crate::error::Error;

/// Builds a [`CrucibleCore`]; what is not said has the default of [`CoreConfig`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is asked to build"]
pub struct CrucibleCoreBuilder {
    config: CoreConfig,
}

impl CrucibleCoreBuilder {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over a whole configuration.
    pub fn with_config(mut self, config: CoreConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets [`CoreConfig::max_services`].
    pub const fn with_max_services(mut self, max: usize) -> Self {
        self.config.max_services = max;
        self
    }

    /// Sets [`CoreConfig::routing_config`].
    pub fn with_routing_config(mut self, routing: RoutingConfig) -> Self {
        self.config.routing_config = routing;
        self
    }

    /// Sets [`CoreConfig::health_check_interval_s`], in seconds.
    pub const fn with_health_check_interval(mut self, seconds: u64) -> Self {
        self.config.health_check_interval_s = seconds;
        self
    }

    /// Sets [`CoreConfig::metrics_interval_s`], in seconds.
    pub const fn with_metrics_interval(mut self, seconds: u64) -> Self {
        self.config.metrics_interval_s = seconds;
        self
    }

    /// Sets [`CoreConfig::enable_auto_recovery`].
    pub const fn with_auto_recovery(mut self, enabled: bool) -> Self {
        self.config.enable_auto_recovery = enabled;
        self
    }

    /// Sets [`CoreConfig::max_recovery_attempts`].
    pub const fn with_max_recovery_attempts(mut self, attempts: u32) -> Self {
        self.config.max_recovery_attempts = attempts;
        self
    }

    /// Sets [`CoreConfig::event_queue_size`], in events.
    pub const fn with_event_queue_size(mut self, events: usize) -> Self {
        self.config.event_queue_size = events;
        self
    }

    /// Sets [`CoreConfig::enable_debug`].
    pub const fn with_debug(mut self, enabled: bool) -> Self {
        self.config.enable_debug = enabled;
        self
    }

    /// Builds the core. It must be called on a tokio runtime, where the core's tasks will run.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub async fn build(self) -> Result<CrucibleCore, Error> {
        CrucibleCore::new(self.config).await
    }
}
