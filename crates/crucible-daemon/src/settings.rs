//! What can be set: one typed tree, read from four layers.
//!
//! Defaults, then the file `crucible.toml`, then the environment (`CRUCIBLE_CORE__ENABLE_DEBUG`),
//! then options of the command line; the later one wins, key by key. An unknown key is an error
//! that names the nearest known one. `defaults.toml` beside this file is the commented list of all
//! of them; a test holds it against the types.
//!
//! Begin reading at [`Sources::resolve`]; [`live`] changes settings while the daemon runs.

mod about;
pub mod live;
mod resolve;

use std::net::SocketAddr;
use std::path::PathBuf;

use crucible_core::CoreConfig;
use crucible_inference::InferenceConfig;
use serde::{Deserialize, Serialize};

pub use resolve::{Resolved, Sources};

/// The commented list of all settings with their defaults, as a file that can be used.
pub const DEFAULTS: &str = include_str!("settings/defaults.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The coordinator.
    pub core: CoreConfig,
    /// The interfaces over HTTP.
    pub api: ApiSettings,
    /// Embeddings and text generation.
    pub inference: InferenceConfig,
    /// Scripts.
    pub scripts: ScriptSettings,
}

/// Scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptSettings {
    /// The folder of scripts; `None` for `.crucible/scripts` in the vault.
    pub folder: Option<PathBuf>,
    /// The most worker processes at a time; 1 to 64.
    pub workers_max: u16,
}

impl Default for ScriptSettings {
    fn default() -> Self {
        Self {
            folder: None,
            workers_max: 8,
        }
    }
}

/// The interfaces over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// Where to listen; `None` for the default port on loopback, or a free one when it is taken.
    pub listen: Option<SocketAddr>,
    /// Whether a token or a session is asked for. Without it whoever reaches the address may do
    /// everything, so it can be switched off on loopback only.
    pub authentication: bool,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: None,
            authentication: true,
        }
    }
}

/// Why settings cannot be used. Messages read after "failed to read the settings: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{} cannot be read ({reason})", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// Some settings are wrong; one sentence each.
    #[error("{}", faults.join("; "))]
    Invalid {
        /// The faults.
        faults: Vec<String>,
    },
}
