//! The process itself: threads and pipes, and the order in which authority is given up.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use crucible_script::protocol::Sandbox;

use crate::engine;
use crate::pipe::Pipe;
use crate::sandbox::{self, Fence};

/// The stack of the thread that compiles and runs scripts: deep data and deep sources are walked
/// with it. Only what is touched takes memory.
pub(crate) const STACK_BYTES: usize = 256 * 1024 * 1024;
/// How often the worker looks whether its daemon is still there.
const WATCH: Duration = Duration::from_secs(1);
/// The exit code of a worker that could not go on (`EX_SOFTWARE` of `sysexits.h`).
const EXIT_SOFTWARE: u8 = 70;

/// Serves the daemon over standard input and output until it closes them.
///
/// Gives up all authority first: see `docs/scripts.md`. The protections that hold are told in the
/// greeting.
#[must_use]
pub fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell when standard error is gone, too.
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::from(EXIT_SOFTWARE)
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let parent = sandbox::parent();
    let mut fence = Fence::new();
    fence.close_before_threads();
    let pipe = pipe()?;
    let (sealed, wait_until_sealed) = sync_channel::<Sandbox>(1);
    let (ended, wait_for_end) = channel::<Result<(), String>>();
    // This thread has what was given up so far; the rest is given up for both at once. It does
    // not read before.
    thread::Builder::new()
        .name("scripts".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let outcome = match wait_until_sealed.recv() {
                Ok(sandbox) => engine::serve(pipe, sandbox).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            drop(ended.send(outcome));
        })?;
    fence.close_after_threads();
    sealed.send(fence.into_sandbox())?;
    loop {
        match wait_for_end.recv_timeout(WATCH) {
            Ok(outcome) => return Ok(outcome?),
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the thread that runs scripts has panicked".into());
            }
            // A script that runs in native code does not notice that the daemon is gone.
            Err(RecvTimeoutError::Timeout) if sandbox::parent() != parent => {
                return Err("the daemon is gone".into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(unix)]
fn pipe() -> io::Result<Pipe> {
    use std::os::fd::AsFd as _;
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(Pipe::new(File::from(input), File::from(output)))
}

#[cfg(windows)]
fn pipe() -> io::Result<Pipe> {
    use std::os::windows::io::AsHandle as _;
    let input = io::stdin().as_handle().try_clone_to_owned()?;
    let output = io::stdout().as_handle().try_clone_to_owned()?;
    Ok(Pipe::new(File::from(input), File::from(output)))
}
