//! The daemon's end of the pipe: one worker process, started, spoken to, and ended.
//!
//! [`Worker`] is one process; what it does not survive, it tells ([`Worker::call`] names the
//! signal, the exit code or the limit). [`crate::pool`] starts the next one. What a script asks
//! for is answered by an implementation of [`HostCalls`], which decides what was granted.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::script::Budget;
use serde_json::Value;

use crate::protocol::{HostError, Level, ScriptSource, Used};

/// How a worker is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// A function to run, and what it may use up.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSpec {
    /// The script.
    pub script: Arc<ScriptSource>,
    /// The function's name.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// What it may use up.
    pub budget: Budget,
}

/// What a call gave back.
#[derive(Clone, Debug, PartialEq)]
pub struct CallDone {
    /// The function's value; that inside `Ok` when it returned one.
    pub value: Value,
    /// What it used up.
    pub used: Used,
    /// How long it took, from sending the call until its value was there.
    pub took: Duration,
}

/// Answers what a script asks the daemon for. Object-safe.
#[async_trait]
pub trait HostCalls: Send + Sync {
    /// Does what a script asks for, if it was granted; `name` is that of the host function, such
    /// as `notes.read`.
    ///
    /// The future is dropped when the call's time is up.
    ///
    /// # Errors
    /// Whatever the script should see as the error of its call.
    async fn host_call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, HostError>;

    /// Takes a line that the script logged.
    fn log(&self, level: Level, message: &str);
}
