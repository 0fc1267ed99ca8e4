//! `crucible completions`: a script that teaches a shell the commands.

use clap::CommandFactory as _;

use crate::args::{Cli, Completions};
use crate::failure::Failure;

pub(crate) fn run(args: &Completions) -> Result<(), Failure> {
    // Rendered first, because the generator panics when the reader of its output goes away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "crucible", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(())
}
