//! The Script Engine of Crucible: scripts run in worker processes that have no authority of their
//! own; whatever a script wants from the daemon it asks for over a pipe.
//!
//! [`ScriptService`] is the engine: it finds scripts in a folder, keeps what persons granted them,
//! wakes them by events and by the clock, offers their tools, and answers what they ask for
//! through a broker that looks at the grants first. [`manifest`] says what a script can say about
//! itself, [`capability`] what it can be allowed, [`host`] what it can ask for.
//!
//! [`protocol`] says what is spoken over the pipe, [`worker`] is the daemon's end of it, [`pool`]
//! keeps workers warm and starts new ones; [`rehearsal`] tries scripts out without a daemon. The
//! other end is the crate `crucible-script-worker`, the only one that links the language itself.

mod broker;
mod calling;
pub mod capability;
mod config;
mod cron;
mod engine;
mod glob;
mod grants;
pub mod host;
mod isolated;
mod job;
mod log;
pub mod manifest;
mod nearest;
pub mod package;
mod planner;
pub mod pool;
pub mod protocol;
mod queue;
mod rate;
pub mod rehearsal;
mod runner;
mod runs;
pub mod scaffold;
mod scheduling;
mod schema;
mod scopes;
mod service;
mod serving;
mod slot;
#[cfg(test)]
mod testing;
mod tools;
mod version;
mod wake;
mod watching;
pub mod worker;

pub use config::{ScriptConfig, ScriptHost};
pub use cron::CronLine;
pub use service::{SERVICE_NAME, ScriptService};

/// The folder of a vault's scripts, relative to the vault, where nothing else is said.
pub const SCRIPTS_FOLDER: &str = ".crucible/scripts";
