//! The states of the core and of a service.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the core as a whole is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CoreState {
    /// Built and not started yet.
    #[default]
    Initialized,
    /// Services are being started.
    Starting,
    /// Every service has been started once, or is being started again after a failure.
    Running,
    /// Services are being stopped.
    Stopping,
    /// Everything has been stopped; it can be started again.
    Stopped,
}

impl fmt::Display for CoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialized => "initialized",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// Where one service is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Known and not started yet.
    #[default]
    Registered,
    /// Waits for its dependencies, or its `start` runs.
    Starting,
    /// Ready for work.
    Running,
    /// Takes no new mail and handles what it has.
    Draining,
    /// Its `stop` runs.
    Stopping,
    /// Stopped on purpose.
    Stopped,
    /// Broke down and is not started again by itself.
    Failed,
    /// Broke down and is started again after a pause.
    BackingOff,
    /// Broke down too often: one try every five minutes until a person starts it.
    CrashLooping,
}

impl ServiceState {
    /// Returns the name as it is written in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::BackingOff => "backing_off",
            Self::CrashLooping => "crash_looping",
        }
    }
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
