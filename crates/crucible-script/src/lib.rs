//! The Script Engine of Crucible: scripts run in worker processes that have no authority of their
//! own; whatever a script wants from the daemon it asks for over a pipe.
//!
//! [`protocol`] says what is spoken over that pipe, [`worker`] is the daemon's end of it, [`pool`]
//! keeps workers warm and starts new ones. The other end is the crate `crucible-script-worker`,
//! the only one that links the language itself. [`host`] lists what scripts can ask for.

pub mod capability;
mod cron;
mod glob;
pub mod host;
pub mod manifest;
mod nearest;
mod planner;
pub mod pool;
pub mod protocol;
mod schema;
pub mod worker;

pub use cron::CronLine;
