//! A saved note on its way through every room: file, facts, text, script, agent, page, all under one
//! correlation; and what a killed worker of scripts costs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Daemon, EventStream, Place, copy_folder, eventually, http};

const DIGEST: &str = "daily-digest";

/// The example vault with the example script, served, with the script granted what it asks for.
fn served_with_script() -> (Place, Daemon) {
    let place = Place::example();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scripts/daily-digest");
    copy_folder(
        &script,
        &place.vault().join(".crucible/scripts").join(DIGEST),
    );
    let daemon = place.serve();
    place
        .about(&["script", "grant", DIGEST, "--all", "--yes"])
        .succeeds();
    (place, daemon)
}

/// The page of changes that the script keeps; there is one a day.
fn digest(place: &Place) -> Option<String> {
    let pages = fs::read_dir(place.vault().join("Journal/Changes")).ok()?;
    let page = pages.flatten().map(|page| page.path()).max()?;
    fs::read_to_string(page).ok()
}

/// Subscribes an MCP client to `uris`; the lines of its stream come from the reader.
fn listen(daemon: &mut Daemon, uris: &[String]) -> std::io::BufReader<std::net::TcpStream> {
    let body = json!({
        "jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen",
        "params": {
            "notifications": { "resourceSubscriptions": uris, "resourcesListChanged": true },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "it", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "subscriptions/listen"),
    ];
    let mut stream = http::send(daemon.api(), "POST", "/mcp", &headers, &body.to_string());
    let (status, headers) = http::read_head(&mut stream);
    assert_eq!(status, 200, "{headers:?}");
    wait_for(&mut stream, "acknowledged");
    stream
}

fn wait_for(stream: &mut impl std::io::BufRead, part: &str) {
    let mut seen = String::new();
    while !seen.contains(part) {
        let read = stream.read_line(&mut seen).unwrap();
        assert!(read > 0, "the stream ended before {part}: {seen}");
    }
}

fn correlation(event: &Value) -> &str {
    event["metadata"]["correlation_id"].as_str().unwrap()
}

#[test]
fn a_saved_note_is_one_story_from_the_file_to_the_agent_and_the_page() {
    let (place, mut daemon) = served_with_script();
    let saved = "Ingredients/Rye Flour.md";
    let uri = "crucible://note/Ingredients%2FRye%20Flour.md".to_owned();
    let other = "crucible://note/Ingredients/Rye%20Flour.md".to_owned();
    let mut agent = listen(&mut daemon, &[uri, other]);
    let events = EventStream::open(daemon.api(), "/api/v1/events", None);

    let file = place.vault().join(saved);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nA line about quokkas.\n")).unwrap();

    // The script's call is the end of what the change leads to.
    let told = events.until("script.completed", |event| {
        event["event_type"]["category"] == "script" && event["event_type"]["type"] == "completed"
    });
    let first = told
        .iter()
        .find(|event| event["event_type"]["path"] == saved)
        .expect("the change of the file is told");
    let story: Vec<String> = told
        .iter()
        .filter(|event| correlation(event) == correlation(first))
        .map(|event| {
            let kind = &event["event_type"];
            format!(
                "{}.{}",
                kind["category"].as_str().unwrap(),
                kind["type"].as_str().unwrap()
            )
        })
        .collect();
    for part in [
        "filesystem.file_modified",
        "database.record_updated",
        "filesystem.file_created",
        "database.record_created",
        "script.completed",
    ] {
        assert!(story.iter().any(|told| told == part), "{part} in {story:?}");
    }
    // The agent is told of the note that was saved, and that there is a new one.
    wait_for(&mut agent, "notifications/resources/updated");
    // Text and page: the saved words and the script's note are found.
    daemon.wait_found("quokkas", &[saved]);
    assert!(digest(&place).unwrap().contains("Rye flour"));
    let page = http::get(
        daemon.api(),
        &format!("/events?correlation={}", correlation(first)),
    )
    .succeeds()
    .body;
    for part in ["file_modified", "file_created", "script.completed"] {
        assert!(page.contains(part), "{part} on the page of the story");
    }
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
