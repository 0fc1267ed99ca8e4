//! What a daemon in this process is started with: folders, files and the environment, all of which
//! only the edge looks at.

use std::path::PathBuf;

use crucible_daemon::DaemonConfig;
use crucible_daemon::compose::{Role, Surroundings};
use crucible_daemon::location::Location;
use crucible_daemon::settings::Sources;
use crucible_inference::providers::Secrets;
use crucible_script::worker::WorkerCommand;
use etcetera::BaseStrategy as _;
use jiff::tz::TimeZone;

use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::vault_choice::data_dir;

/// Returns how this program starts itself as a worker of scripts.
pub(crate) fn worker() -> std::io::Result<WorkerCommand> {
    Ok(WorkerCommand {
        program: std::env::current_exe()?,
        args: vec!["script-worker".into()],
    })
}

/// Returns what to start a daemon for `location` with.
pub(crate) fn daemon(
    global: &Global,
    location: Location,
    role: Role,
) -> Result<DaemonConfig, Failure> {
    let mut config = DaemonConfig::new(location, role);
    config.sources = sources(global)?;
    config.surroundings = Surroundings {
        models: Some(models_dir(global)?),
        worker: worker().ok(),
        local: Some(TimeZone::system()),
        secrets: Some(Secrets::new(|name| std::env::var(name).ok())),
    };
    Ok(config)
}

/// Returns where the settings come from.
pub(crate) fn sources(global: &Global) -> Result<Sources, Failure> {
    let is_setting = |name: &str| name.starts_with("CRUCIBLE_") && name.contains("__");
    Ok(Sources {
        file: Some(settings_file(global)?),
        // A variable that is not Unicode names no setting.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| is_setting(name))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
            .collect(),
        flags: Vec::new(),
    })
}

/// Returns the settings file: the one named, else `crucible.toml` in the configuration folder.
pub(crate) fn settings_file(global: &Global) -> Result<PathBuf, Failure> {
    match &global.config {
        Some(path) => std::path::absolute(path).map_err(Failure::from),
        None => Ok(config_dir()?.join("crucible.toml")),
    }
}

/// Returns the folder of models, which all vaults share.
pub(crate) fn models_dir(global: &Global) -> Result<PathBuf, Failure> {
    Ok(data_dir(global)?.join("models"))
}

fn config_dir() -> Result<PathBuf, Failure> {
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Failure::new(Kind::Failed, error)
            .with_hint("set HOME, or say where the settings are with --config")
    })?;
    Ok(strategy.config_dir().join("crucible"))
}
