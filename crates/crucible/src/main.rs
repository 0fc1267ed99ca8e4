//! The `crucible` command line: reads what was typed, runs one command, reports how it ended.

mod args;
mod commands;
mod failure;
mod logging;
mod progress;
mod session;
mod setup;
mod signals;
mod terminal;
mod vault_choice;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use failure::{Failure, Kind};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::ScriptWorker) {
        // Before anything else: a worker gives up its authority while it has one thread.
        return crucible_script_worker::run();
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to tell it to when standard error is closed as well.
            let _closed = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let stays = matches!(cli.command, Command::Serve(_) | Command::Mcp(_));
    logging::start(&cli.global, stays)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("crucible")
        .build()
        .map_err(|error| Failure::new(Kind::Failed, error))?;
    let outcome = runtime.block_on(dispatch(cli));
    // Everything that mattered was joined by then; a stuck system call must not hold the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn dispatch(cli: &Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Serve(args) => commands::serve::run(global, args).await,
        Command::Search(args) => commands::search::run(global, args).await,
        Command::Note(args) => commands::note::run(global, args).await,
        Command::Links(args) => commands::links::run(global, args).await,
        Command::Status(args) => commands::status::run(global, args).await,
        Command::Doctor(args) => commands::doctor::run(global, args).await,
        Command::Services(args) => commands::services::run(global, args).await,
        Command::Events(args) => commands::events::run(global, args).await,
        Command::Config(args) => commands::config::run(global, args).await,
        Command::Token(args) => commands::token::run(global, args).await,
        Command::Dashboard(args) => commands::dashboard::run(global, args).await,
        Command::History(args) => commands::history::run(global, args).await,
        Command::Undo(args) => commands::undo::run(global, args).await,
        Command::Models(args) => commands::models::run(global, args).await,
        Command::Mcp(args) => commands::mcp::run(global, args).await,
        Command::Script(args) => commands::script::run(global, args).await,
        // A worker has no runtime: `main` runs it.
        Command::ScriptWorker => Ok(()),
        Command::Completions(args) => commands::completions::run(args),
    }
}
