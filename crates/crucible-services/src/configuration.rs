//! The vocabulary of configuration: what is in force, where it came from, how it is changed.
//!
//! Whoever composes the services reads the layers and implements [`Configuration`]; interfaces
//! show it and change it through the trait.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Shows and changes the settings that are in force. Object-safe.
#[async_trait]
pub trait Configuration: Send + Sync {
    /// Returns every setting, by path, in order. Secrets come without their value.
    fn effective(&self) -> Vec<Setting>;

    /// Checks changes without making them.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault.
    async fn validate(&self, changes: &[SettingChange]) -> Result<(), Error>;

    /// Makes all changes or none, keeps them in the file, and tells what changed.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Refused`] when a service refuses its new section, in which
    /// case every service keeps the old one.
    async fn change(&self, changes: &[SettingChange], by: &str) -> Result<Changed, Error>;
}

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Dotted path, such as `inference.idle_unload`.
    pub path: String,
    /// The value; `null` for a secret.
    pub value: Value,
    /// Which layer won.
    pub origin: Origin,
    /// True when the value is not shown.
    #[serde(default)]
    pub secret: bool,
    /// True when a change holds at once; otherwise it holds from the next start.
    #[serde(default)]
    pub live: bool,
    /// What it means, for people.
    #[serde(default)]
    pub about: String,
}

/// The layers, weakest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "layer", rename_all = "snake_case")]
pub enum Origin {
    /// Built in.
    Default,
    /// A file.
    File {
        /// Which.
        path: String,
    },
    /// An environment variable.
    Environment {
        /// Which.
        variable: String,
    },
    /// An option on the command line.
    Flag {
        /// Which.
        option: String,
    },
}

/// A setting to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingChange {
    /// Dotted path.
    pub path: String,
    /// The new value; `null` goes back to the default.
    pub value: Value,
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// Paths whose value in force is another now.
    pub paths: Vec<String>,
    /// Paths that hold from the next start.
    pub after_restart: Vec<String>,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
}

/// Why settings were not changed. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Some settings are wrong; one sentence each, with the path and the cure.
    #[error("{}", faults.join("; "))]
    Invalid {
        /// The faults.
        faults: Vec<String>,
    },
    /// A service refused its section.
    #[error("{service} refused the change: {reason}")]
    Refused {
        /// Which.
        service: String,
        /// Why.
        reason: String,
    },
    /// The file could not be read or written.
    #[error("{0}")]
    Failed(String),
}
