#![doc = include_str!("../README.md")]

mod builder;
mod config;
mod core;
mod error;
mod health;
mod metrics;
mod options;
mod shared;
mod state;
mod status;

pub use builder::CrucibleCoreBuilder;
pub use config::{CoreConfig, CrucibleConfig};
pub use core::CrucibleCore;
pub use error::{Error, Failure};
pub use health::{HealthRecord, SystemHealth};
pub use metrics::{CoreMetrics, EventMetrics, MetricsSample, ServiceMetrics};
pub use options::ServiceOptions;
pub use state::{CoreState, ServiceState};
pub use status::ServiceStatus;

pub use crucible_services::router::{
    EventSubscription, Received, RouteError, RoutingConfig, RoutingReceipt,
};
