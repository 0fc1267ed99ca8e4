//! `crucible script`: scripts from their first line to their logs.
//!
//! `new`, `check` and `test` work on files alone; the rest asks the daemon that serves the vault.

mod check;
mod engine;
mod grant;
mod list;
mod logs;
mod new;
mod run;
mod test;

use std::io::Write as _;
use std::path::PathBuf;

use crucible_script::{SCRIPTS_FOLDER, manifest};
use crucible_services::script;

use crate::args::Global;
use crate::args::script::{Place, Script, ScriptCommand};
use crate::failure::{Failure, Kind};
pub(crate) use crate::setup::worker;
use crate::terminal::plain;
use crate::vault_choice;

pub(crate) async fn run(global: &Global, args: &Script) -> Result<(), Failure> {
    let place = &args.place;
    match &args.command {
        ScriptCommand::New(args) => new::run(&scripts_dir(global, place)?, args),
        ScriptCommand::Check(args) => check::run(global, place, args).await,
        ScriptCommand::Test(args) => test::run(global, place, args).await,
        ScriptCommand::Run(args) => run::run(&engine::open(global, place).await?, args).await,
        ScriptCommand::List(format) => {
            list::run(&engine::open(global, place).await?, *format).await
        }
        ScriptCommand::Grant(args) => grant::run(&engine::open(global, place).await?, args).await,
        ScriptCommand::Reload(args) => {
            reload(&engine::open(global, place).await?, &args.name).await
        }
        ScriptCommand::Logs(args) => logs::run(&engine::open(global, place).await?, args).await,
    }
}

async fn reload(engine: &engine::Engine, name: &str) -> Result<(), Failure> {
    let info = engine.reload(name).await?;
    writeln!(std::io::stdout(), "{} is in force.", plain(&info.name))?;
    Ok(())
}

/// Returns the folder of scripts.
fn scripts_dir(global: &Global, place: &Place) -> Result<PathBuf, Failure> {
    if let Some(folder) = &place.scripts_dir {
        return Ok(std::path::absolute(folder)?);
    }
    let location = vault_choice::find(global, place.vault.as_deref())?;
    Ok(location.vault().join(SCRIPTS_FOLDER))
}

/// Returns the folders of the scripts that are meant: the one named, or all.
fn folders(global: &Global, place: &Place, named: Option<&str>) -> Result<Vec<PathBuf>, Failure> {
    if let Some(named) = named {
        let path = PathBuf::from(named);
        let is_path =
            named.contains(std::path::is_separator) || path.join(manifest::FILE).is_file();
        let folder = if is_path {
            std::path::absolute(path)?
        } else {
            scripts_dir(global, place)?.join(named)
        };
        if folder.is_dir() {
            return Ok(vec![folder]);
        }
        let message = format!("there is no folder {}", folder.display());
        return Err(Failure::message(Kind::Usage, message)
            .with_hint("`crucible script new NAME` begins a script"));
    }
    let scripts_dir = scripts_dir(global, place)?;
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&scripts_dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join(manifest::FILE).is_file())
        .collect();
    folders.sort();
    if folders.is_empty() {
        let message = format!("there are no scripts in {}", scripts_dir.display());
        return Err(Failure::message(Kind::Usage, message)
            .with_hint("`crucible script new NAME` begins one"));
    }
    Ok(folders)
}

impl From<script::Error> for Failure {
    fn from(error: script::Error) -> Self {
        match error {
            script::Error::NotFound(_) => Self::new(Kind::Usage, error)
                .with_hint("`crucible script list` names the installed scripts"),
            other => Self::new(Kind::Failed, other),
        }
    }
}
