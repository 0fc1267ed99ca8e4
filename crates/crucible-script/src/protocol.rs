//! What the daemon and a script worker say to each other.
//!
//! Frames are a length (four bytes, little endian) and a JSON text of that length, at most
//! [`FRAME_BYTES_MAX`]. The daemon speaks first only after the worker's [`FromWorker::Hello`]. One
//! call runs in a worker at a time: between a [`ToWorker::Call`] and its [`FromWorker::Done`] the
//! worker sends log lines and host calls, and the daemon answers each host call or cancels.
//! Neither end trusts the other: both refuse longer frames, and the daemon takes a frame out of
//! order for a broken worker.

mod frame;
mod sandbox;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use crucible_services::script::{self, Budget};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use frame::{FRAME_BYTES_MAX, FrameError, decode, encode, frame_length};
pub use sandbox::{Protection, Sandbox};
pub use value::{VALUE_DEPTH_MAX, is_too_deep};

/// Version of this protocol; a worker that speaks another one is refused.
pub const PROTOCOL: u32 = 1;

/// What a log line costs of the output budget besides its text, in bytes.
pub const LOG_LINE_BYTES: u64 = 16;

/// What the daemon says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Compile a script and keep it; it takes the place of another version with the same name.
    Load(Arc<ScriptSource>),
    /// Forget a script.
    Unload {
        /// The script's name.
        script: String,
    },
    /// Run a function of a loaded script.
    Call(Call),
    /// The answer to a host call.
    HostAnswer {
        /// The host call that is answered.
        id: u64,
        /// What the daemon says to it.
        answer: Result<Value, HostError>,
    },
    /// Stop the call, if it still runs.
    Cancel {
        /// The call.
        call: u64,
    },
    /// Say that you are there.
    Ping,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The worker has given up its authority and waits.
    Hello {
        /// The version of the protocol that it speaks.
        protocol: u32,
        /// Which protections hold it.
        sandbox: Sandbox,
    },
    /// A script was compiled, or not.
    Loaded {
        /// The script's name.
        script: String,
        /// What came of it.
        compiled: Compiled,
    },
    /// A script is forgotten.
    Unloaded {
        /// The script's name.
        script: String,
    },
    /// The script asks the daemon for something.
    HostCall {
        /// The call that it runs in.
        call: u64,
        /// Identifies this host call in its answer.
        id: u64,
        /// What is asked for, such as `notes.read`.
        name: String,
        /// Its arguments.
        arguments: Vec<Value>,
    },
    /// The script logged a line.
    Log {
        /// The call that it runs in.
        call: u64,
        /// How grave it is.
        level: Level,
        /// What it said.
        message: String,
    },
    /// A call has ended.
    Done {
        /// The call.
        call: u64,
        /// Its value, or why it has none.
        outcome: Result<Value, Fault>,
        /// What it used up, as far as the worker knows.
        used: Used,
    },
    /// The answer to [`ToWorker::Ping`].
    Pong,
}

/// A script's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptSource {
    /// The script's name.
    pub script: String,
    /// Tells versions apart, such as BLAKE3 of all files.
    pub version: String,
    /// The file that is compiled; others come in by `mod`.
    pub entry: String,
    /// Its files, by path relative to the script's folder with `/`, and their texts.
    pub files: BTreeMap<String, String>,
}

/// What came of compiling a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The functions that can be called, by name; empty when something fatal is wrong.
    pub functions: Vec<Function>,
    /// What is wrong with it, the fatal things first.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// Returns the first thing that keeps the script from running.
    #[must_use]
    pub fn fault(&self) -> Option<script::Error> {
        let fatal = self.diagnostics.iter().find(|found| found.fatal)?;
        Some(script::Error::Compile {
            file: fatal.file.clone(),
            line: fatal.line,
            message: fatal.message.clone(),
        })
    }
}

/// A function that can be called from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name; below a module, with `::`.
    pub name: String,
    /// How many arguments it takes.
    pub arguments: usize,
    /// True for a function with `#[test]`.
    pub test: bool,
}

/// Something wrong with a script's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file, relative to the script's folder.
    pub file: String,
    /// The line, from 1; 0 where none can be named.
    pub line: u64,
    /// The column in characters, from 1; 0 where none can be named.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// True when it keeps the script from running.
    pub fatal: bool,
}

/// A function to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Identifies the call in everything that the worker says of it.
    pub call: u64,
    /// The script's name.
    pub script: String,
    /// The function's name.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// What it may use up.
    pub budget: Budget,
}

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    Info,
    /// For hunting faults.
    Debug,
}

impl Level {
    /// Returns its name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Why the daemon does not do what a script asked for; the script sees kind and message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    /// What sort of error, for scripts that tell them apart: `not_found`, `denied`, `conflict`,
    /// `exists`, `invalid`, `unavailable`, `failed`.
    pub kind: String,
    /// The cause, and the cure where there is one.
    pub message: String,
}

impl HostError {
    /// Creates an error of a kind.
    #[must_use]
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
        }
    }
}

/// Why a call has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A part of the budget was used up.
    Stopped {
        /// Which part.
        limit: Limit,
    },
    /// The script was not loaded, has no such function, or the function takes other arguments.
    NotCallable {
        /// What is wrong, and what there is instead.
        message: String,
    },
    /// The script failed, with where.
    Failed {
        /// What happened.
        message: String,
    },
}

/// A part of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Instructions of the virtual machine.
    Instructions,
    /// Time on the clock.
    Time,
    /// Memory.
    Memory,
    /// Logs and value together.
    Output,
    /// Calls into the daemon.
    HostCalls,
}

impl Limit {
    /// Returns its name as people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::HostCalls => "host calls",
        }
    }
}

/// What a call used up, as the worker counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Instructions of the virtual machine, rounded up to a multiple of what runs between two
    /// looks at the pipe.
    pub instructions: u64,
    /// Output in bytes.
    pub output_bytes: u64,
    /// Calls into the daemon.
    pub host_calls: u64,
}
