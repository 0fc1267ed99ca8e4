//! A saved note on its way through every room: file, facts, text, script, agent, page, all under one
//! correlation; and what a killed worker of scripts costs.

use std::fs;
use std::path::Path;

use crate::harness::story::{digest, saved_note, served_with_script};
use crate::harness::{Daemon, eventually};

#[test]
fn a_saved_note_is_one_story_from_the_file_to_the_agent_and_the_page() {
    let (place, mut daemon) = served_with_script();
    saved_note(&place, &mut daemon, |_, _| ());
    daemon.stop();
}

/// The processes that `daemon` has started, by what their command line holds.
fn workers(daemon: &Daemon) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            let is_ours = parent.trim().parse::<u32>().ok()? == daemon.pid();
            let command = fs::read_to_string(entry.path().join("cmdline")).ok()?;
            (is_ours && command.contains("script-worker")).then_some(pid)
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_worker_is_replaced_and_the_next_change_is_handled() {
    let (place, daemon) = served_with_script();
    place.write("One.md", "# One\n");
    eventually("the first change is handled", || {
        digest(&place)?.contains("One").then_some(())
    });
    let killed = workers(&daemon);
    assert_eq!(killed.len(), 1, "one script, one worker");
    for pid in &killed {
        let pid = rustix::process::Pid::from_raw(*pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    place.write("Two.md", "# Two\n");
    eventually("the next change is handled by a new worker", || {
        digest(&place)?.contains("Two").then_some(())
    });
    let health = place.json(&["services", "show", "scripts"]);
    assert_eq!(health["state"], "running");
    assert_ne!(workers(&daemon), killed);
    daemon.stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_daemon_leaves_no_worker_behind_and_keeps_grants_and_writes() {
    let (place, daemon) = served_with_script();
    place.write("One.md", "# One\n");
    eventually("the change is handled", || {
        digest(&place)?.contains("One").then_some(())
    });
    let left = workers(&daemon);
    daemon.kill();
    eventually("the worker ends with its daemon", || {
        let is_gone = |pid: &i32| !Path::new(&format!("/proc/{pid}/exe")).exists();
        left.iter().all(is_gone).then_some(())
    });
    let daemon = place.serve();
    assert!(digest(&place).unwrap().contains("One"));
    place.write("Two.md", "# Two\n");
    eventually("the grant still holds", || {
        digest(&place)?.contains("Two").then_some(())
    });
    daemon.stop();
}
