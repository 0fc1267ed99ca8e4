//! A script worker as a program of its own, for tests and benches; the daemon carries it inside.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == "--try-out")
    {
        crucible_script_worker::try_out()
    } else {
        crucible_script_worker::run()
    }
}
