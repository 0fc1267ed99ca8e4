//! Figures about the core, now and over time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::state::{CoreState, ServiceState};

/// Figures about the core at one moment. Counters run since the core was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoreMetrics {
    /// Where the core is.
    pub state: CoreState,
    /// How long it has been running, in milliseconds; 0 while it does not.
    pub uptime_ms: u64,
    /// How many services are registered.
    pub services_registered: usize,
    /// How many of them run.
    pub services_running: usize,
    /// Restarts of all services together.
    pub restarts: u64,
    /// Figures about all events.
    pub events: EventMetrics,
    /// Figures about each service, by name.
    pub services: BTreeMap<String, ServiceMetrics>,
}

/// Figures about events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventMetrics {
    /// Valid events that were routed, each counted once.
    pub routed: u64,
    /// Events that were refused as invalid.
    pub invalid: u64,
    /// Events that mailboxes accepted; an event for three services counts three times, here and
    /// below.
    pub accepted: u64,
    /// Events that were handled.
    pub delivered: u64,
    /// Events that mailboxes refused.
    pub rejected: u64,
    /// Accepted events that were thrown away to make room or because a service stopped.
    pub dropped: u64,
    /// Events whose handler failed, panicked, did not end in time or was let go.
    pub failed: u64,
    /// Events that wait in mailboxes now.
    pub queued: usize,
    /// Events routed per second, since the last sample of the history (or the start).
    pub routed_per_s: f64,
    /// Events handled per second, since the last sample of the history (or the start).
    pub delivered_per_s: f64,
}

/// Figures about one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceMetrics {
    /// Where it is.
    pub state: ServiceState,
    /// How long it has been in that state, in milliseconds.
    pub state_ms: u64,
    /// How often it was started again.
    pub restarts: u64,
    /// How many health checks were made.
    pub health_checks: u64,
    /// How many of them were bad.
    pub health_checks_bad: u64,
    /// Events that its mailbox accepted.
    pub accepted: u64,
    /// Events that it handled.
    pub delivered: u64,
    /// Events that its mailbox refused.
    pub rejected: u64,
    /// Accepted events that were thrown away.
    pub dropped: u64,
    /// Events whose handler returned an error.
    pub failed: u64,
    /// Events whose handler did not end in time.
    pub timed_out: u64,
    /// Events whose handler panicked.
    pub panicked: u64,
    /// Events whose handler was let go because the service had to stop.
    pub let_go: u64,
    /// Events that wait in its mailbox now.
    pub queued: usize,
    /// Half of all events were handled within this many microseconds (at most twice the true
    /// value).
    pub handling_p50_us: u64,
    /// As `handling_p50_us`, for 99 of 100 events.
    pub handling_p99_us: u64,
}

/// One sample of the metrics history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricsSample {
    /// When it was taken.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// The figures then.
    pub metrics: CoreMetrics,
}
