//! What a script is asked to do.

use std::sync::Arc;

use crucible_services::events::Cause;
use crucible_services::script::{CallOutcome, CallRequest, Error};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::version::Version;

/// Something that waits in a script's queue.
#[derive(Debug)]
pub(crate) enum Job {
    /// An event that a handler wants.
    Event(Wake),
    /// A call that somebody waits for.
    Call {
        /// What to call.
        request: CallRequest,
        /// True when writes are refused.
        read_only: bool,
        /// Where the outcome goes.
        reply: oneshot::Sender<Result<CallOutcome, Error>>,
    },
    /// A schedule whose time has come.
    Schedule {
        /// The version whose schedule it is.
        version: Arc<Version>,
        /// Which one, in the order of the manifest.
        index: usize,
        /// The time that its cron line named.
        due: Timestamp,
        /// True when the time passed while nothing looked.
        is_late: bool,
    },
}

/// An event on its way to a handler.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) function: String,
    pub(crate) event: Value,
    /// The notes that it is about: looked at again when the call begins.
    pub(crate) paths: Vec<String>,
    /// Tags of which the note must carry one; empty when none is asked for.
    pub(crate) tags: Vec<String>,
    pub(crate) cause: Cause,
}
