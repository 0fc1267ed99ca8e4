//! The composition root: the only crate that knows all services.
//!
//! [`Daemon`] puts a vault, a store, an MCP gateway and an API under one
//! [`CrucibleCore`](crucible_core::CrucibleCore) and stops them again. [`access`] decides how a
//! command reaches a vault's notes: through the daemon that runs, or by itself. [`location`] says
//! where the index of a vault lives, and [`instance`] that only one process writes it.
//!
//! The crate reads no environment and writes to no terminal: the binary hands values in.

pub mod access;
pub mod compose;
pub mod instance;
pub mod location;
pub mod settings;

/// What a log filter needs so that the messages of agents are not logged.
pub use crucible_mcp::LOG_FILTER as MCP_LOG_FILTER;

pub use compose::{Daemon, DaemonConfig, StartError};
pub use crucible_vault::{LeftOut, LeftOutRule};
