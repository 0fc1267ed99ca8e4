//! What can be set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::models::DEFAULT_MODEL;
use crate::providers::ProvidersConfig;

/// The section `inference` of the configuration. All of it can be changed while the engine runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferenceConfig {
    /// The model that notes are embedded with; `all-MiniLM-L6-v2`.
    pub embedding_model: String,
    /// Threads that compute embeddings; 0, the default, for as many as the machine runs at once,
    /// at most 8.
    pub threads: usize,
    /// The most memory that the weights of models take, in MiB; 1024. The least recently used
    /// model goes when another needs the room.
    pub memory_max_mb: usize,
    /// The most memory that vectors of recent questions take, in MiB; 16.
    pub cache_mb: usize,
    /// How long a model that nobody uses stays in memory; 5 min.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub idle_unload: Duration,
    /// The most requests that wait; 256. One more is refused.
    pub queue_max: usize,
    /// How long an answer may take; 30 s, and for each text a quarter of a second more.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub timeout: Duration,
    /// How often it is told what was done; 60 s.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub usage_interval: Duration,
    /// Who runs models that are not in this process, in the order in which they are asked.
    pub providers: ProvidersConfig,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self {
            embedding_model: DEFAULT_MODEL.to_owned(),
            threads: 0,
            memory_max_mb: 1024,
            cache_mb: 16,
            idle_unload: Duration::from_secs(300),
            queue_max: 256,
            timeout: Duration::from_secs(30),
            usage_interval: Duration::from_secs(60),
            providers: ProvidersConfig::default(),
        }
    }
}

impl InferenceConfig {
    /// The most threads that are used unless more are asked for.
    const THREADS_MAX: usize = 8;
    /// The most threads that can be asked for.
    const THREADS_LIMIT: usize = 256;

    /// Says whether the settings can be used.
    ///
    /// # Errors
    /// The first one at fault, and the cure.
    pub fn validate(&self) -> Result<(), String> {
        let short = |duration: Duration| duration.is_zero();
        if self.embedding_model.is_empty() {
            Err(format!(
                "embedding_model is empty; the default is {DEFAULT_MODEL:?}"
            ))
        } else if self.threads > Self::THREADS_LIMIT {
            Err(format!("threads is above {}", Self::THREADS_LIMIT))
        } else if self.queue_max == 0 {
            Err("queue_max is 0: every request would be refused".to_owned())
        } else if short(self.timeout) || short(self.usage_interval) {
            Err("timeout and usage_interval must be longer than 0 s".to_owned())
        } else {
            self.providers.validate().map_err(|error| error.to_string())
        }
    }

    /// Returns how many threads compute.
    pub(crate) fn threads(&self) -> usize {
        if self.threads > 0 {
            return self.threads;
        }
        std::thread::available_parallelism().map_or(1, |count| count.get().min(Self::THREADS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_section_is_the_default() {
        let config: InferenceConfig = serde_json::from_value(json!({})).unwrap();
        assert_eq!(config, InferenceConfig::default());
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn unknown_key_is_an_error() {
        let read = serde_json::from_value::<InferenceConfig>(json!({ "embed_model": "x" }));
        assert!(read.unwrap_err().to_string().contains("embed_model"));
    }

    #[test]
    fn settings_that_stop_all_work_are_refused() {
        for section in [
            json!({ "queue_max": 0 }),
            json!({ "timeout": "0s" }),
            json!({ "embedding_model": "" }),
            json!({ "threads": 1000 }),
        ] {
            let config: InferenceConfig = serde_json::from_value(section.clone()).unwrap();
            assert!(config.validate().is_err(), "{section}");
        }
    }
}
