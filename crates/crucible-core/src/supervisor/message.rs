//! What can wake a supervisor.

use std::time::Duration;

use crucible_services::health::ServiceHealth;
use crucible_services::router::Fault;
use serde_json::Value;
use tokio::sync::oneshot;

use super::call::CallError;
use crate::error::Error;

/// How a request to start ended for now.
#[derive(Debug)]
pub(crate) enum Settled {
    /// The service runs.
    Running,
    /// It waits for services that are not on their way.
    Waiting(Vec<String>),
}

pub(crate) type StartReply = oneshot::Sender<Result<Settled, Error>>;
pub(crate) type StopReply = oneshot::Sender<Result<(), Error>>;

/// What others ask of a supervisor.
#[derive(Debug)]
pub(crate) enum Command {
    /// Start, unless it runs.
    Run {
        /// Whether a person asked: earlier failures are forgotten then.
        by_hand: bool,
        reply: Option<StartReply>,
    },
    /// Stop, after the services that depend on this one if `in_order`.
    Stop {
        in_order: bool,
        reply: Option<StopReply>,
    },
    /// Stop and start, keeping the mail.
    Restart { reply: StartReply },
    /// Stop and end.
    Remove { reply: StopReply },
    /// Make a health check now.
    Check {
        reply: oneshot::Sender<ServiceHealth>,
    },
    /// Hand over a configuration section.
    Configure {
        section: Value,
        reply: oneshot::Sender<Result<(), CallError>>,
    },
}

/// What the supervisor's own tasks tell it.
#[derive(Debug)]
pub(crate) enum Done {
    Started {
        run_id: u64,
        result: Result<(), CallError>,
    },
    Drained {
        run_id: u64,
    },
    WoundDown {
        run_id: u64,
        fault: Option<String>,
    },
    Checked {
        run_id: u64,
        answer: ServiceHealth,
        took: Duration,
    },
}

/// Everything that can wake a supervisor.
#[derive(Debug)]
pub(super) enum Wake {
    Command(Command),
    Done(Done),
    /// An event was not handled.
    Fault(Fault),
    /// A background task panicked; so many have by now.
    Panicked(u64),
    /// Another service, the core or the settings have changed.
    Changed,
    /// A time that the phase or the health checks wait for has come.
    Timer,
    /// The core is gone.
    Ended,
}
