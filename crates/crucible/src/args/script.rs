//! Arguments of `crucible script`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Format, VaultChoice};

/// Arguments of `script`.
#[derive(Args, Debug)]
pub(crate) struct Script {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: ScriptCommand,
}

/// Where scripts are.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The folder of scripts [default: .crucible/scripts in the vault]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "CRUCIBLE_SCRIPTS_DIR",
        hide_env_values = true
    )]
    pub(crate) scripts_dir: Option<PathBuf>,
    /// The vault [default: as for `search`]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "CRUCIBLE_VAULT",
        hide_env_values = true
    )]
    pub(crate) vault: Option<PathBuf>,
}

impl Place {
    /// Returns the choice of a vault, as other commands take it.
    pub(crate) fn choice(&self) -> VaultChoice {
        VaultChoice {
            vault: self.vault.clone(),
        }
    }
}

/// What can be done with scripts.
#[derive(Debug, Subcommand)]
pub(crate) enum ScriptCommand {
    /// Begin a script: a manifest, code, and a test that passes
    New(New),
    /// Check manifest and code without running anything
    Check(Check),
    /// Run a script's own tests against a vault in memory
    Test(Test),
    /// Call a function of an installed script
    Run(Run),
    /// List the installed scripts, what they ask for and what was granted
    List(Format),
    /// Grant a script what it asks for, or take it back
    Grant(Grant),
    /// Read a script's files again
    Reload(Named),
    /// Show what a script logged
    Logs(Logs),
}

/// Arguments of `script new`.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The script's name: a-z, 0-9 and -
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Begin with a handler of changed notes; this is the default
    #[arg(long, conflicts_with_all = ["tool", "cron"])]
    pub(crate) handler: bool,
    /// Begin with a tool for AI agents
    #[arg(long, conflicts_with = "cron")]
    pub(crate) tool: bool,
    /// Begin with a schedule
    #[arg(long)]
    pub(crate) cron: bool,
}

/// Arguments of `script check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Folder of one script [default: all scripts]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `script test`.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Name or folder of the script [default: all scripts]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Arguments of `script run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The script
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The function
    #[arg(value_name = "FUNCTION")]
    pub(crate) function: String,
    /// Its arguments, each as JSON; what is no JSON is taken as text
    #[arg(value_name = "JSON")]
    pub(crate) arguments: Vec<String>,
    /// Tell what would be written instead of writing it
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `script grant`.
#[derive(Args, Debug)]
pub(crate) struct Grant {
    /// The script
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Capabilities, as `crucible script list` shows them, such as "notes.read: Inbox/**"
    #[arg(value_name = "CAPABILITY", conflicts_with = "all")]
    pub(crate) capabilities: Vec<String>,
    /// All that it asks for
    #[arg(long)]
    pub(crate) all: bool,
    /// Take the named ones back instead, or all of them
    #[arg(long)]
    pub(crate) revoke: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// A script by name.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The script
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// Arguments of `script logs`.
#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The script
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// How many of the newest lines, at most 1000
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) format: Format,
}
