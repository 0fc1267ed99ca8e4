//! From the start to the end of `crucible serve`.

use std::fs;
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Daemon, Place, eventually};

#[test]
fn second_instance_is_refused_with_code_4_and_told_who_serves() {
    let place = Place::with(&[("a.md", "x")]);
    let mut daemon = place.serve();
    let vault = place.vault();
    let second = place.run(&["serve", vault.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let second = second.fails_with(4);
    assert!(
        second.stderr.contains(&format!("process {}", daemon.pid())),
        "{}",
        second.stderr
    );
    assert!(
        second.stderr.contains(&daemon.api().to_string()),
        "{}",
        second.stderr
    );
    assert!(daemon.is_alive());
    daemon.stop();
    place.serve().stop();
}

#[test]
fn sigint_and_sigterm_end_it_with_code_0_and_leave_nothing() {
    let place = Place::with(&[("a.md", "x")]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut daemon = place.serve();
        let api = daemon.api();
        daemon.signal(signal);
        daemon.wait_line("Stopped");
        assert_eq!(daemon.wait().code(), Some(0));
        let said = daemon.shown.join("\n");
        assert!(!said.contains("Not stopped cleanly"), "{said}");
        assert!(!place.home().join("instance.json").exists());
        assert!(
            TcpStream::connect(api).is_err(),
            "{api} is still listened on"
        );
    }
}

#[test]
fn signal_during_the_first_index_ends_it_as_well() {
    let place = Place::empty();
    for number in 0..2_000 {
        place.write(
            &format!("{number}.md"),
            format!("# Note {number}\n\nSome words.\n"),
        );
    }
    let mut daemon = place.serve_unready(&[]);
    daemon.wait_line("index");
    daemon.signal(Signal::INT);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    let mut again = place.serve();
    assert_eq!(again.get("/api/v1/stats")["notes"], 2_000);
    again.stop();
}

#[test]
fn restart_on_an_unchanged_vault_parses_nothing() {
    let place = Place::example();
    place.serve().stop();
    let mut again = place.serve();
    assert!(
        again.shown.last().unwrap().contains("nothing had changed"),
        "{:?}",
        again.shown
    );
    assert_eq!(again.get("/api/v1/stats")["parsed_since_open"], 0);
    again.stop();
}

#[test]
fn changes_made_while_nobody_watched_are_found_at_the_next_start() {
    let place = Place::with(&[("a.md", "first"), ("b.md", "second"), ("c.md", "third")]);
    place.serve().stop();
    place.write("a.md", "altered now");
    fs::remove_file(place.vault().join("b.md")).unwrap();
    place.write("d.md", "fourth");
    let mut again = place.serve();
    assert_eq!(again.get("/api/v1/stats")["parsed_since_open"], 2);
    again.wait_found("altered", &["a.md"]);
    again.wait_found("second", &[]);
    again.wait_found("fourth", &["d.md"]);
    again.stop();
}

#[test]
fn deleted_index_is_rebuilt() {
    let place = Place::example();
    let mut first = place.serve();
    let before = first.get("/api/v1/notes?limit=1000");
    first.stop();
    fs::remove_dir_all(place.index_dir()).unwrap();
    let mut again = place.serve();
    assert_eq!(again.get("/api/v1/notes?limit=1000"), before);
    let parsed = again.get("/api/v1/stats")["parsed_since_open"].clone();
    assert_eq!(parsed, before["total"]);
    again.stop();
}

#[test]
fn vault_is_left_as_it_was_unless_asked() {
    let place = Place::with(&[("a.md", "needle")]);
    let entries = || {
        let list = fs::read_dir(place.vault()).unwrap();
        let mut names: Vec<_> = list.map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    place.serve().stop();
    assert_eq!(entries(), ["a.md"]);
    let mut asked = place.serve_unready(&["--index-in-vault"]);
    asked.wait_ready();
    asked.stop();
    assert_eq!(entries(), [".crucible", "a.md"]);
    assert!(place.vault().join(".crucible/index").is_dir());
    // From then on it is used without asking again.
    fs::remove_dir_all(place.data()).unwrap();
    assert_eq!(place.search("needle"), ["a.md"]);
    assert!(!place.data().join("vaults").exists());
}

#[test]
fn taken_port_is_an_error_only_when_it_was_asked_for() {
    let place = Place::with(&[("a.md", "x")]);
    let vault = place.vault();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let refused = place
        .run(&["serve", vault.to_str().unwrap(), "--listen", &taken])
        .fails_with(1);
    assert!(refused.stderr.contains(&taken), "{}", refused.stderr);
    assert!(refused.stderr.contains("--listen"), "{}", refused.stderr);
    // Without asking, two daemons find two addresses.
    let second_place = Place::with(&[("b.md", "x")]);
    let serve = |place: &Place| -> Daemon {
        let vault = place.vault();
        place.spawn(&["serve", vault.to_str().unwrap()])
    };
    let (mut first, mut second) = (serve(&place), serve(&second_place));
    assert_ne!(first.api(), second.api());
    first.wait_ready();
    second.wait_ready();
}

#[test]
fn address_that_others_can_reach_is_refused_with_a_cure() {
    let place = Place::with(&[("a.md", "x")]);
    let vault = place.vault();
    let output = place.run(&["serve", vault.to_str().unwrap(), "--listen", "0.0.0.0:0"]);
    let output = output.fails_with(1);
    assert!(output.stderr.contains("loopback"), "{}", output.stderr);
}

#[test]
fn logs_are_json_lines_when_asked() {
    let place = Place::with(&[("a.md", "x")]);
    let mut daemon = place.serve_unready(&["--log-format", "json", "--log", "info"]);
    daemon.wait_ready();
    daemon.signal(Signal::TERM);
    daemon.wait();
    let log = daemon.log();
    assert!(!log.is_empty());
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "message"] {
            assert!(entry[field].is_string(), "{line}");
        }
    }
}

#[test]
fn commands_read_along_while_an_agent_holds_the_vault() {
    let place = Place::with(&[("a.md", "needle")]);
    let vault = place.vault();
    let mut command = place.command(&["mcp", vault.to_str().unwrap()]);
    command.stdin(std::process::Stdio::piped());
    let mut agent = command.spawn().unwrap();
    eventually("the agent's process to hold the vault", || {
        let status = place.json(&["status"]);
        (status["instance"]["role"] == "mcp" && status["stats"]["notes"] == 1).then_some(())
    });
    eventually("the note to be found", || {
        (place.search("needle") == ["a.md"]).then_some(())
    });
    // The end of its input is the end of the agent's server.
    drop(agent.stdin.take());
    let output = crate::harness::place::finish(agent, "crucible mcp");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn two_commands_that_begin_together_both_answer() {
    let place = Place::with(&[("a.md", "needle")]);
    let vault = place.vault();
    let args = [
        "search",
        "needle",
        "--json",
        "--vault",
        vault.to_str().unwrap(),
    ];
    let children: Vec<_> = (0..2)
        .map(|_| place.command(&args).spawn().unwrap())
        .collect();
    for child in children {
        crate::harness::place::finish(child, "search").succeeds();
    }
}
