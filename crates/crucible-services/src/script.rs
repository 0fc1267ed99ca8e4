//! The vocabulary of the Script Engine: compiling and running scripts under a budget, and what
//! they were granted.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::Cause;

/// Compiles and runs scripts. Object-safe.
#[async_trait]
pub trait ScriptEngine: Send + Sync {
    /// Returns the scripts that are installed, by name.
    ///
    /// # Errors
    /// When the engine cannot list them.
    async fn scripts(&self) -> Result<Vec<ScriptInfo>, Error>;

    /// Compiles a script's source without running it.
    ///
    /// # Errors
    /// [`Error::Compile`] with where and why.
    async fn check(&self, source: &str) -> Result<(), Error>;

    /// Calls a function of an installed script.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the script passed its budget.
    async fn call(&self, request: CallRequest) -> Result<CallOutcome, Error>;

    /// Grants exactly `capabilities` to the version of a script whose manifest has the hash
    /// `manifest`; an empty list takes everything back. A manifest that asks for something else
    /// later has to be granted again.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] when the manifest has changed, or does not ask for
    /// a capability.
    async fn grant(
        &self,
        script: &str,
        manifest: &str,
        capabilities: &[String],
        by: &str,
    ) -> Result<ScriptInfo, Error>;

    /// Reads a script's files again; the old version stays in force when the new one fails.
    ///
    /// # Errors
    /// [`Error::Compile`], [`Error::Manifest`].
    async fn reload(&self, script: &str) -> Result<ScriptInfo, Error>;

    /// Returns the newest log lines of a script, oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    async fn log(&self, script: &str, limit: usize) -> Result<Vec<LogLine>, Error>;
}

/// An installed script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptInfo {
    /// Its name: that of its folder.
    pub name: String,
    /// What it is for, in the words of its manifest.
    pub about: String,
    /// Whether it runs.
    pub state: ScriptState,
    /// BLAKE3 of the version in force; empty when there is none.
    pub version: String,
    /// BLAKE3 of the manifest, which a grant names.
    pub manifest: String,
    /// Capabilities that its manifest asks for, such as `notes.read: Inbox/**`.
    pub requested: Vec<String>,
    /// Capabilities that a person granted.
    pub granted: Vec<String>,
    /// Events that wake it, in words.
    pub handlers: Vec<String>,
    /// Names of its tools.
    pub tools: Vec<String>,
    /// When it runs by the clock.
    pub schedules: Vec<ScheduleInfo>,
    /// Calls since the engine started.
    pub calls: u64,
    /// Calls that failed or were stopped.
    pub failures: u64,
    /// The newest fault, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Whether a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScriptState {
    /// A version is in force.
    Active,
    /// A version is in force, and the newer one in the folder was refused.
    Outdated,
    /// Nothing is in force: its files have a fault.
    Faulty,
}

/// A schedule of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleInfo {
    /// The function that is called.
    pub function: String,
    /// When, as a cron line.
    pub cron: String,
    /// When it runs next.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub next: Option<Timestamp>,
    /// When it ran last.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last: Option<Timestamp>,
}

/// One line that a script logged, or that tells of one of its calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// `error`, `warn`, `info` or `debug`.
    pub level: String,
    /// The function that was running.
    pub function: String,
    /// What it said.
    pub message: String,
    /// The correlation of the event that led to the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// A call into a script.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRequest {
    /// The script's name.
    pub script: String,
    /// The function's name.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// What it may use up; `None` for the script's own budget.
    pub budget: Option<Budget>,
    /// The event that led to the call.
    pub cause: Option<Cause>,
    /// True when writes are told instead of made.
    pub dry_run: bool,
}

/// What a call may use up; whatever is reached first stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// Instructions of the script's virtual machine.
    pub instructions: u64,
    /// Time on the clock.
    pub wall: Duration,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Output (logs and the value) in bytes.
    pub output_bytes: u64,
    /// Calls into the daemon.
    pub host_calls: u64,
}

impl Default for Budget {
    /// 50 million instructions, 5 s, 64 MiB of memory, 1 MiB of output, 10,000 host calls.
    fn default() -> Self {
        Self {
            instructions: 50_000_000,
            wall: Duration::from_secs(5),
            memory_bytes: 64 * 1024 * 1024,
            output_bytes: 1024 * 1024,
            host_calls: 10_000,
        }
    }
}

/// What a call gave back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallOutcome {
    /// The function's value.
    pub value: Value,
    /// What it logged, in order.
    pub log: Vec<LogLine>,
    /// What it would have written, in words, when it was a dry run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Calls into the daemon, by name.
    #[serde(default)]
    pub host_calls: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
}

/// Why a script could not be compiled or run. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No script has this name.
    #[error("no script is called {0:?}")]
    NotFound(String),
    /// The source has a fault.
    #[error("{file}:{line}: {message}")]
    Compile {
        /// The file, relative to the script's folder.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// The manifest has a fault.
    #[error("script.toml: {0}")]
    Manifest(String),
    /// A grant that cannot be given.
    #[error("{0}")]
    Refused(String),
    /// The script passed its budget and was stopped.
    #[error("stopped: the {limit} budget was used up")]
    Stopped {
        /// Which part of the budget: `instructions`, `time`, `memory`, `output`, `host calls`.
        limit: String,
    },
    /// The script asked for what it was not granted.
    #[error("{capability} is not granted to this script; `crucible script grant` grants it")]
    Denied {
        /// The capability, as it would stand in the manifest.
        capability: String,
    },
    /// The script failed.
    #[error("{0}")]
    Failed(String),
    /// The engine cannot run scripts now.
    #[error("{0}")]
    Unavailable(String),
}
