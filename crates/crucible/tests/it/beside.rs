//! `crucible mcp` beside the daemon of the same vault: what the daemon sees, the agent hears.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::{Value, json};

use crate::harness::place::finish;
use crate::harness::{DEADLINE, Place, eventually};

/// Messages that wait to be looked at.
const LINES_MAX: usize = 1000;

/// A client of one `crucible mcp`, line by line; the process is killed when dropped.
struct Agent {
    child: Option<Child>,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    told: VecDeque<Value>,
    next: u64,
}

impl Agent {
    /// Starts the process and opens a conversation that is promised to be told of changes.
    fn begin(place: &Place) -> Self {
        let vault = place.vault();
        let mut command = place.command(&["mcp", vault.to_str().unwrap()]);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut agent = Self {
            stdin: child.stdin.take(),
            child: Some(child),
            lines,
            told: VecDeque::new(),
            next: 0,
        };
        let client = json!({ "name": "test", "version": "1" });
        let opened = agent.ask(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client,
            }),
        );
        assert_eq!(
            opened["capabilities"]["resources"]["subscribe"], true,
            "{opened}"
        );
        agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        agent
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        stdin.flush().unwrap();
    }

    fn receive(&mut self) -> Value {
        let line = self.lines.recv_timeout(DEADLINE);
        serde_json::from_str(&line.expect("the server says something")).unwrap()
    }

    /// Sends a request and returns its result.
    #[track_caller]
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut message = self.receive();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].take();
            }
            self.told.push_back(message);
        }
    }

    #[track_caller]
    fn subscribe(&mut self, path: &str) {
        let uri = format!("crucible://note/{path}");
        self.ask("resources/subscribe", &json!({ "uri": uri }));
    }

    /// Waits until the server tells that a note has changed.
    fn hears_of(&mut self, path: &str) {
        let uri = format!("crucible://note/{path}");
        loop {
            let message = match self.told.pop_front() {
                Some(message) => message,
                None => self.receive(),
            };
            let is_update = message["method"] == "notifications/resources/updated";
            if is_update && message["params"]["uri"] == uri {
                return;
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask(
            "tools/call",
            &json!({ "name": tool, "arguments": arguments }),
        )
    }

    /// The text of a note, as a tool gives it.
    fn read(&mut self, path: &str) -> String {
        self.call("read_note", &json!({ "ref": path }))["content"].to_string()
    }

    /// Closes the input; the process must end by itself, and well.
    #[track_caller]
    fn end(mut self) {
        drop(self.stdin.take());
        let output = finish(self.child.take().unwrap(), "crucible mcp");
        assert_eq!(output.code, Some(0), "{}", output.stderr);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

#[test]
fn agent_beside_a_daemon_hears_of_notes_saved_on_disk_and_ends_with_its_input() {
    let place = Place::with(&[("a.md", "one\n"), ("b.md", "one\n")]);
    let daemon = place.serve();
    let mut agent = Agent::begin(&place);
    agent.subscribe("a.md");
    place.write("b.md", "two\n");
    place.write("a.md", "two\n");
    agent.hears_of("a.md");
    assert!(agent.read("a.md").contains("two"));
    let of_b = |message: &Value| message["params"]["uri"] == "crucible://note/b.md";
    assert!(!agent.told.iter().any(of_b), "{:?}", agent.told);

    let created = agent.call("create_note", &json!({ "path": "c.md", "text": "new\n" }));
    assert_ne!(created["isError"], true, "{created}");
    assert_eq!(
        std::fs::read_to_string(place.vault().join("c.md")).unwrap(),
        "new\n"
    );
    agent.end();
    daemon.stop();
}

#[test]
fn agent_finds_the_daemon_again_that_was_killed_and_hears_of_what_it_missed() {
    let place = Place::with(&[("a.md", "one\n"), ("b.md", "one\n")]);
    let daemon = place.serve();
    let mut agent = Agent::begin(&place);
    agent.subscribe("a.md");
    place.write("a.md", "two\n");
    agent.hears_of("a.md");

    daemon.kill();
    place.write("a.md", "three, while nobody watched\n");
    // Another port, and another token of this machine.
    let daemon = place.serve();
    agent.hears_of("a.md");
    eventually("the new text", || {
        agent.read("a.md").contains("three").then_some(())
    });
    // What is heard of this note is heard of the new daemon alone.
    agent.subscribe("b.md");
    place.write("b.md", "two\n");
    agent.hears_of("b.md");

    daemon.stop();
    let silent = agent.call("read_note", &json!({ "ref": "b.md" }));
    assert_eq!(silent["isError"], true, "{silent}");
    agent.end();
}
