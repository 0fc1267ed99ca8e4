//! What a worker cannot do, whatever runs in it.

use std::process::Command;

use crate::support::{command, worker};

#[cfg(target_os = "linux")]
#[test]
fn files_sockets_programs_and_threads_are_refused_from_inside() {
    let output = Command::new(command().program)
        .arg("--try-out")
        .env_clear()
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let attempts: Vec<_> = told.lines().filter(|line| line.contains(": ")).collect();
    assert!(attempts.len() >= 8, "{told}");
    for attempt in attempts {
        assert!(attempt.contains(": refused ("), "{told}");
    }
    assert!(output.status.success(), "{told}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_says_which_protections_hold_it() {
    let worker = worker().await;
    let sandbox = worker.sandbox();
    for name in [
        "environment",
        "descriptors",
        "parent",
        "privileges",
        "priority",
        "limits",
        "seccomp",
    ] {
        assert!(sandbox.holds(name), "{name}: {sandbox:?}");
    }
    // Landlock depends on how the kernel was started: it is told either way.
    let landlock = sandbox
        .protections
        .iter()
        .find(|protection| protection.name == "landlock");
    assert!(!landlock.unwrap().detail.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn descriptors_that_the_daemon_forgot_are_closed() {
    let closed = |redirect: &str| {
        let output = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("{redirect} exec \"$0\" --try-out"))
            .arg(command().program)
            .env_clear()
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let (_, rest) = told
            .split_once("the pipes only, ")
            .expect("descriptors hold");
        rest.split_once(' ').unwrap().0.parse::<u32>().unwrap()
    };
    let before = closed("");
    assert_eq!(closed("exec 7</dev/null 8>/dev/null;"), before + 2);
}
