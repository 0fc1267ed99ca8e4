//! The vocabulary of the Script Engine: compiling and running scripts under a budget.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Compiles and runs scripts. Object-safe.
#[async_trait]
pub trait ScriptEngine: Send + Sync {
    /// Returns the scripts that are installed.
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
}

/// An installed script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptInfo {
    /// Its name.
    pub name: String,
    /// Capabilities that its manifest asks for.
    pub requested: Vec<String>,
    /// Capabilities that a person granted.
    pub granted: Vec<String>,
}

/// A call into a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRequest {
    /// The script's name.
    pub script: String,
    /// The function's name.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// What it may use up.
    pub budget: Budget,
}

/// What a call may use up; whatever is reached first stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Instructions of the script's virtual machine.
    pub instructions: u64,
    /// Time on the clock.
    pub wall: Duration,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Output in bytes.
    pub output_bytes: u64,
}

/// What a call gave back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallOutcome {
    /// The function's value.
    pub value: Value,
    /// What it logged, in order.
    pub log: Vec<String>,
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
    #[error("line {line}: {message}")]
    Compile {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// The script passed its budget and was stopped.
    #[error("stopped: the {limit} budget was used up")]
    Stopped {
        /// Which part of the budget.
        limit: String,
    },
    /// The script failed.
    #[error("{0}")]
    Failed(String),
}
