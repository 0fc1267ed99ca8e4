//! The Inference Engine and the Script Engine, with what each is handed.

use std::path::PathBuf;
use std::sync::Arc;

use crucible_core::CrucibleCore;
use crucible_inference::InferenceService;
use crucible_inference::providers::Secrets;
use crucible_script::{SCRIPTS_FOLDER, ScriptConfig, ScriptHost, ScriptService};
use crucible_services::service_traits::{DataStore, InferenceEngine, ScriptEngine, ToolProvider};

use jiff::tz::TimeZone;

use super::vault::Vault;
use super::{DaemonConfig, StartError};
use crate::settings::Settings;

/// Both engines; one that has nothing to work with is left out.
pub(super) struct Engines {
    inference: Option<Arc<InferenceService>>,
    scripts: Option<Arc<ScriptService>>,
}

impl Engines {
    /// Makes the engines; nothing is loaded or run yet.
    pub(super) fn assemble(
        config: &DaemonConfig,
        settings: &Settings,
        vault: &Vault,
    ) -> Result<Self, StartError> {
        let around = &config.surroundings;
        let inference = match &around.models {
            None => None,
            Some(models) => {
                let secrets = around.secrets.clone().unwrap_or_else(Secrets::none);
                let service =
                    InferenceService::new(settings.inference.clone(), models.clone(), secrets)?;
                let service = Arc::new(service);
                vault.store.use_embeddings(Arc::clone(&service) as _);
                Some(service)
            }
        };
        let scripts = match (&around.worker, &vault.writer) {
            (Some(worker), Some(writer)) => {
                let host = ScriptHost {
                    store: Arc::new(vault.store.clone()) as Arc<dyn DataStore>,
                    writer: Arc::clone(writer),
                    state: Arc::clone(&vault.state),
                    inference: inference.clone().map(|engine| engine as _),
                };
                let scripts = script_config(config, settings);
                Some(Arc::new(ScriptService::new(scripts, host, worker.clone())))
            }
            _ => None,
        };
        Ok(Self { inference, scripts })
    }

    /// Puts the engines under the core.
    pub(super) async fn register(&self, core: &CrucibleCore) -> Result<(), StartError> {
        if let Some(inference) = &self.inference {
            core.register_service(Arc::clone(inference)).await?;
        }
        if let Some(scripts) = &self.scripts {
            core.register_service(Arc::clone(scripts)).await?;
        }
        Ok(())
    }

    pub(super) fn inference(&self) -> Option<Arc<dyn InferenceEngine>> {
        self.inference.clone().map(|engine| engine as _)
    }

    pub(super) fn scripts(&self) -> Option<Arc<dyn ScriptEngine>> {
        self.scripts.clone().map(|engine| engine as _)
    }

    /// Returns the tools of scripts.
    pub(super) fn tools(&self) -> Option<Arc<dyn ToolProvider>> {
        self.scripts.clone().map(|engine| engine as _)
    }
}

fn script_config(config: &DaemonConfig, settings: &Settings) -> ScriptConfig {
    let folder: PathBuf = match &settings.scripts.folder {
        Some(folder) => folder.clone(),
        None => config.location.vault().join(SCRIPTS_FOLDER),
    };
    ScriptConfig {
        workers_max: usize::from(settings.scripts.workers_max),
        local: config.surroundings.local.clone().unwrap_or(TimeZone::UTC),
        ..ScriptConfig::new(folder)
    }
}
