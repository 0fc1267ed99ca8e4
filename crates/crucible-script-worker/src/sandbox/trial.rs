//! Tries out the protections from inside: what a broken language could do with this process.

use std::io::{self, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use super::Fence;

/// Gives up all authority as a worker does, then tries to do what a worker must not, and tells on
/// standard output what came of it: `ATTEMPT: refused (WHY)`, `ATTEMPT: allowed` or `ATTEMPT: not
/// forbidden (WHY)` when it failed for another reason, a line each.
///
/// Succeeds when everything was refused.
#[must_use]
pub fn try_out() -> ExitCode {
    let mut fence = Fence::new();
    fence.close_before_threads();
    fence.close_after_threads();
    let protections = fence.into_sandbox().protections;
    let mut told: Vec<String> = protections
        .into_iter()
        .map(|protection| {
            let holds = if protection.active {
                "holds"
            } else {
                "does not hold"
            };
            format!("{} {holds} ({})\n", protection.name, protection.detail)
        })
        .collect();
    let mut refused = true;
    for (name, outcome) in attempts() {
        told.push(match outcome {
            Ok(()) => {
                refused = false;
                format!("{name}: allowed\n")
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("{name}: refused ({error})\n")
            }
            // It failed, but not because it was forbidden.
            Err(error) => {
                refused = false;
                format!("{name}: not forbidden ({error})\n")
            }
        });
    }
    let written = io::stdout().write_all(told.concat().as_bytes());
    if refused && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn attempts() -> Vec<(&'static str, io::Result<()>)> {
    vec![
        ("read a file", std::fs::read("/etc/passwd").map(drop)),
        ("list a folder", std::fs::read_dir("/").map(drop)),
        (
            "read its own status",
            std::fs::read("/proc/self/status").map(drop),
        ),
        (
            "create a file",
            std::fs::write(std::env::temp_dir().join("crucible-worker-trial"), "x"),
        ),
        ("open a socket", UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("connect", TcpStream::connect("127.0.0.1:9").map(drop)),
        ("start a program", start_program()),
        (
            "start a thread",
            thread::Builder::new().spawn(|| {}).map(drop),
        ),
        ("signal its parent", signal_parent()),
    ]
}

fn start_program() -> io::Result<()> {
    Command::new("/bin/true")
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .map(drop)
}

#[cfg(unix)]
fn signal_parent() -> io::Result<()> {
    let parent = rustix::process::getppid().ok_or_else(|| io::Error::other("no parent"))?;
    Ok(rustix::process::test_kill_process(parent)?)
}

#[cfg(not(unix))]
fn signal_parent() -> io::Result<()> {
    Err(io::Error::other("there are no signals here"))
}
