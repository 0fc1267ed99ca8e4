//! Which vault is meant, and where indexes live.
//!
//! What is typed wins; then the indexed vault around the current folder, as with version control;
//! then the only vault that is being served. A command never indexes a folder that nobody named.

use std::path::{Path, PathBuf};

use crucible_daemon::instance;
use crucible_daemon::location::Location;
use etcetera::BaseStrategy as _;

use crate::args::Global;
use crate::failure::{Failure, Kind};

/// Returns the folder below which all indexes live.
pub(crate) fn data_dir(global: &Global) -> Result<PathBuf, Failure> {
    if let Some(folder) = &global.data_dir {
        return std::path::absolute(folder).map_err(Failure::from);
    }
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Failure::new(Kind::Failed, error)
            .with_hint("set HOME, or say where indexes may live with --data-dir")
    })?;
    Ok(strategy.data_dir().join("crucible"))
}

/// Finds the vault of a command that only reads.
pub(crate) fn find(global: &Global, named: Option<&Path>) -> Result<Location, Failure> {
    let data_dir = data_dir(global)?;
    if let Some(vault) = named {
        return locate(vault, &data_dir, false);
    }
    let here = std::env::current_dir()?;
    if let Some(location) = Location::find_enclosing(&here, &data_dir) {
        return Ok(location);
    }
    let served: Vec<Location> = Location::known(&data_dir)
        .into_iter()
        .filter(|location| instance::running(location).is_some())
        .collect();
    match served.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::message(
            Kind::Usage,
            format!(
                "no indexed vault around {} and none being served",
                here.display()
            ),
        )
        .with_hint("name one with --vault PATH, or run `crucible serve PATH` first")),
        several => {
            let list: Vec<String> = several
                .iter()
                .map(|l| l.vault().display().to_string())
                .collect();
            Err(Failure::message(
                Kind::Usage,
                format!("several vaults are being served: {}", list.join(", ")),
            )
            .with_hint("say which one with --vault PATH"))
        }
    }
}

/// Finds the vault to serve: the one named, else the current folder.
pub(crate) fn find_to_serve(
    global: &Global,
    named: Option<&Path>,
    index_in_vault: bool,
) -> Result<Location, Failure> {
    let data_dir = data_dir(global)?;
    if let Some(vault) = named {
        return locate(vault, &data_dir, index_in_vault);
    }
    let here = std::env::current_dir()?;
    let home = etcetera::home_dir().ok();
    if here.parent().is_none() || home.as_deref() == Some(&here) {
        return Err(Failure::message(
            Kind::Usage,
            format!("{} is hardly a folder of notes", here.display()),
        )
        .with_hint("name the folder: `crucible serve PATH`; `crucible serve .` if you mean it"));
    }
    locate(&here, &data_dir, index_in_vault)
}

fn locate(vault: &Path, data_dir: &Path, in_vault: bool) -> Result<Location, Failure> {
    Location::find(vault, data_dir, in_vault).map_err(|error| Failure::new(Kind::Failed, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::LogFormat;

    fn global(data_dir: &Path) -> Global {
        Global {
            data_dir: Some(data_dir.to_owned()),
            config: None,
            log: None,
            log_format: LogFormat::Text,
        }
    }

    #[test]
    fn named_vault_wins_and_nothing_is_created() {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let location = find(&global(&data), Some(temp.path())).unwrap();
        assert_eq!(location.vault(), temp.path().canonicalize().unwrap());
        assert!(location.home().starts_with(&data));
        assert!(!data.exists());
    }

    #[test]
    fn file_is_no_vault() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("note.md");
        std::fs::write(&file, "x").unwrap();
        let failure = find(&global(temp.path()), Some(&file)).unwrap_err();
        assert_eq!(failure.code(), 1);
        assert!(failure.to_string().contains("is not a folder"), "{failure}");
    }

    #[test]
    fn index_in_the_vault_is_used_when_asked() {
        let temp = tempfile::tempdir().unwrap();
        let location = find_to_serve(&global(temp.path()), Some(temp.path()), true).unwrap();
        assert!(location.is_in_vault());
    }

    #[test]
    fn relative_data_folder_is_made_absolute() {
        let folder = data_dir(&global(Path::new("indexes"))).unwrap();
        assert!(folder.is_absolute() && folder.ends_with("indexes"));
    }
}
