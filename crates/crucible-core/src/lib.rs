#![doc = include_str!("../README.md")]

mod builder;
mod conductor;
mod config;
mod core;
mod error;
mod health;
mod health_log;
mod metrics;
mod metrics_log;
mod options;
mod publisher;
mod reconfigure;
mod registration;
mod registry;
mod shared;
mod state;
mod status;
mod supervisor;
mod tell;

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
