//! The settings in force: the configuration, and the providers that it sets up.

use crate::config::InferenceConfig;
use crate::providers::{Providers, Secrets};

/// One version of the settings; replaced as a whole.
#[derive(Debug)]
pub(super) struct Settings {
    /// What was set.
    pub config: InferenceConfig,
    /// Who runs models that are not in this process.
    pub providers: Providers,
}

impl Settings {
    /// Puts a configuration into force; with `old`, providers that did not change go on.
    ///
    /// # Errors
    /// What cannot be used, and the cure.
    pub(super) fn new(
        config: InferenceConfig,
        secrets: &Secrets,
        old: Option<&Self>,
    ) -> Result<Self, String> {
        config.validate()?;
        let kept = old.filter(|old| old.config.providers == config.providers);
        let providers = match kept {
            Some(old) => old.providers.clone(),
            None => Providers::new(config.providers.clone(), secrets)
                .map_err(|error| error.to_string())?,
        };
        Ok(Self { config, providers })
    }

    /// Returns the most bytes that the weights of models take.
    pub(super) fn memory_max(&self) -> usize {
        self.config.memory_max_mb.saturating_mul(1 << 20)
    }

    /// Returns the most bytes that cached vectors take.
    pub(super) fn cache_max(&self) -> usize {
        self.config.cache_mb.saturating_mul(1 << 20)
    }
}
