//! What the engine is set to, and what it is handed to work with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crucible_services::service_traits::{DataStore, InferenceEngine, NoteWriter, StateStore};
use jiff::tz::TimeZone;
use serde::Deserialize;

/// Settings of the Script Engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptConfig {
    /// The folder of scripts; each is a folder below it. It need not exist.
    pub scripts_dir: PathBuf,
    /// The most worker processes at a time; each script has at most one.
    pub workers_max: usize,
    /// How long an idle worker is kept, in seconds.
    pub worker_idle_s: u64,
    /// How many events wait for one script; then the oldest is dropped, counted and told.
    pub queue_max: usize,
    /// How many log lines of each script are kept.
    pub log_lines_max: usize,
    /// How many bytes of keys and values one script may keep.
    pub kv_bytes_max: u64,
    /// How many events one script may tell in a minute.
    pub emits_per_minute: u32,
    /// The longest chain of causes that still wakes a script, so that scripts that answer each
    /// other come to an end.
    pub causes_max: u16,
    /// How many crashes in a row switch a script off until it is loaded again.
    pub crashes_max: u32,
    /// The clock that schedules and scripts call local.
    #[serde(skip)]
    pub local: TimeZone,
}

impl Default for ScriptConfig {
    fn default() -> Self {
        Self {
            scripts_dir: PathBuf::new(),
            workers_max: 8,
            worker_idle_s: 300,
            queue_max: 256,
            log_lines_max: 500,
            kv_bytes_max: 1024 * 1024,
            emits_per_minute: 120,
            causes_max: 8,
            crashes_max: 5,
            local: TimeZone::UTC,
        }
    }
}

impl ScriptConfig {
    /// Creates the default settings for the scripts in a folder.
    #[must_use]
    pub fn new(scripts_dir: impl Into<PathBuf>) -> Self {
        Self {
            scripts_dir: scripts_dir.into(),
            ..Self::default()
        }
    }

    pub(crate) const fn worker_idle(&self) -> Duration {
        Duration::from_secs(self.worker_idle_s)
    }
}

/// What scripts reach, through the broker and never directly.
#[derive(Clone)]
pub struct ScriptHost {
    /// The notes.
    pub store: Arc<dyn DataStore>,
    /// The way to change them.
    pub writer: Arc<dyn NoteWriter>,
    /// Where grants, values and last runs are kept.
    pub state: Arc<dyn StateStore>,
    /// Models; `None` where there are none.
    pub inference: Option<Arc<dyn InferenceEngine>>,
}

impl fmt::Debug for ScriptHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptHost")
            .field("state", &self.state)
            .field("inference", &self.inference.is_some())
            .finish_non_exhaustive()
    }
}
