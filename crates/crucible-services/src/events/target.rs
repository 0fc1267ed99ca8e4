//! For whom an event is meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, ServiceName};
use crate::service_traits::ServiceKind;

/// For whom an event is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTarget {
    /// A service by name: one of its instances gets the event.
    Service(ServiceName),
    /// Every service of a kind.
    Kind(ServiceKind),
    /// One particular instance.
    Instance(InstanceId),
}

impl ServiceTarget {
    /// Targets a service by name.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self::Service(ServiceName::new(service))
    }

    /// Targets every service of a kind.
    #[must_use]
    pub const fn kind(kind: ServiceKind) -> Self {
        Self::Kind(kind)
    }

    /// Targets one instance.
    #[must_use]
    pub const fn instance(instance: InstanceId) -> Self {
        Self::Instance(instance)
    }
}
