//! What a service says about its own condition.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How well a service can do its work, best first.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Does all of its work.
    Healthy,
    /// Does its work with a restriction that its message names.
    Degraded,
    /// Cannot do its work.
    Unhealthy,
    /// Has not been asked yet.
    #[default]
    Unknown,
}

/// The answer to one health check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceHealth {
    /// The verdict.
    pub status: HealthStatus,
    /// Why, in words for a person; `None` when there is nothing to add.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// Figures behind the verdict, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub details: BTreeMap<String, Value>,
}

impl ServiceHealth {
    /// Returns a healthy answer with nothing to add.
    #[must_use]
    pub fn healthy() -> Self {
        Self {
            status: HealthStatus::Healthy,
            ..Self::default()
        }
    }

    /// Returns a degraded answer; `why` names the restriction.
    #[must_use]
    pub fn degraded(why: impl Into<String>) -> Self {
        Self {
            status: HealthStatus::Degraded,
            message: Some(why.into()),
            ..Self::default()
        }
    }

    /// Returns an unhealthy answer; `why` names the cause.
    #[must_use]
    pub fn unhealthy(why: impl Into<String>) -> Self {
        Self {
            status: HealthStatus::Unhealthy,
            message: Some(why.into()),
            ..Self::default()
        }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with_detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }
}
