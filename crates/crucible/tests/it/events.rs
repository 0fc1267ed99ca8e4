//! One test for each way of an event: from what happens to the reader of the event stream.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::sse::{is_about, name};
use crate::harness::{Daemon, EventStream, Place, eventually, http};

/// Says whether an event has this name and is about this file.
fn is(event: &Value, wanted: &str, path: &str) -> bool {
    name(event) == wanted && is_about(event, path)
}

/// Lets one more file appear, and returns all that was told until then: what was to be told of
/// earlier changes has been told, however often.
#[track_caller]
fn settled(place: &Place, events: &EventStream) -> Vec<Value> {
    place.write("last.md", "the end");
    events.until("the last record", |event| {
        is(event, "database.record_created", "last.md")
    })
}

/// The names of the filesystem events about a file.
fn filesystem<'a>(seen: impl IntoIterator<Item = &'a Value>, path: &str) -> Vec<String> {
    let about = seen.into_iter().filter(|event| is_about(event, path));
    about
        .map(name)
        .filter(|name| name.starts_with("filesystem."))
        .collect()
}

/// A served vault whose index is up to date, with its event stream.
fn watched(notes: &[(&str, &str)]) -> (Place, Daemon, EventStream) {
    let place = Place::with(notes);
    let mut daemon = place.serve();
    let events = daemon.events();
    (place, daemon, events)
}

#[test]
fn created_file_is_told_once_and_found() {
    let (place, mut daemon, events) = watched(&[("a.md", "x")]);
    place.write("new.md", "# New\n\nA needle.\n");
    daemon.wait_found("needle", &["new.md"]);
    assert_eq!(place.search("needle"), ["new.md"]);
    let seen = settled(&place, &events);
    assert_eq!(filesystem(&seen, "new.md"), ["filesystem.file_created"]);
    let event = seen.iter().find(|event| is_about(event, "new.md")).unwrap();
    assert_eq!(
        event["source"],
        json!({ "kind": "filesystem", "id": "vault" })
    );
    let detail = &event["payload"]["data"];
    assert_eq!(
        (&detail["path"], &detail["title"]),
        (&json!("new.md"), &json!("New"))
    );
    assert_eq!(detail["size_bytes"], 17);
    daemon.stop();
}

#[test]
fn modified_file_is_told_once_and_found() {
    let (place, mut daemon, events) = watched(&[("a.md", "hay")]);
    place.write("a.md", "needle");
    daemon.wait_found("needle", &["a.md"]);
    daemon.wait_found("hay", &[]);
    assert_eq!(place.search("needle"), ["a.md"]);
    let seen = settled(&place, &events);
    assert_eq!(filesystem(&seen, "a.md"), ["filesystem.file_modified"]);
    daemon.stop();
}

#[test]
fn deleted_file_is_told_once_and_not_found() {
    let (place, mut daemon, events) = watched(&[("a.md", "needle"), ("b.md", "x")]);
    fs::remove_file(place.vault().join("a.md")).unwrap();
    daemon.wait_found("needle", &[]);
    assert!(place.search("needle").is_empty());
    place.about(&["note", "a.md"]).fails_with(3);
    let seen = settled(&place, &events);
    assert_eq!(filesystem(&seen, "a.md"), ["filesystem.file_deleted"]);
    daemon.stop();
}

#[test]
fn moved_file_is_told_once_and_found_at_its_new_place() {
    let notes = [("a.md", "needle"), ("b.md", "[[new]]"), ("sub/c.md", "x")];
    let (place, mut daemon, events) = watched(&notes);
    fs::rename(place.vault().join("a.md"), place.vault().join("sub/new.md")).unwrap();
    daemon.wait_found("needle", &["sub/new.md"]);
    assert_eq!(place.search("needle"), ["sub/new.md"]);
    let seen = settled(&place, &events);
    assert_eq!(filesystem(&seen, "a.md"), ["filesystem.file_moved"]);
    assert_eq!(filesystem(&seen, "sub/new.md"), ["filesystem.file_moved"]);
    let links = place.json(&["links", "b"]);
    assert_eq!(links["outgoing"][0]["resolved"], "sub/new.md");
    daemon.stop();
}

#[test]
fn file_moved_into_a_folder_of_the_same_moment_is_told_once() {
    let (place, mut daemon, events) = watched(&[("a.md", "needle"), ("b.md", "[[new]]")]);
    fs::create_dir(place.vault().join("sub")).unwrap();
    fs::rename(place.vault().join("a.md"), place.vault().join("sub/new.md")).unwrap();
    daemon.wait_found("needle", &["sub/new.md"]);
    let seen = settled(&place, &events);
    assert_eq!(filesystem(&seen, "a.md"), ["filesystem.file_moved"]);
    assert_eq!(filesystem(&seen, "sub/new.md"), ["filesystem.file_moved"]);
    daemon.stop();
}

#[test]
fn unchanged_content_is_not_told() {
    let (place, daemon, events) = watched(&[("a.md", "x")]);
    place.write("a.md", "x");
    let seen = settled(&place, &events);
    assert!(filesystem(&seen, "a.md").is_empty(), "{seen:?}");
    daemon.stop();
}

#[test]
fn records_are_told_as_caused_by_their_files() {
    let (place, daemon, events) = watched(&[("a.md", "one")]);
    let vault = place.vault();
    let steps: [(&str, &dyn Fn()); 3] = [
        ("created", &|| drop(place.write("b.md", "two"))),
        ("modified", &|| drop(place.write("b.md", "three"))),
        ("deleted", &|| fs::remove_file(vault.join("b.md")).unwrap()),
    ];
    for (what, step) in steps {
        step();
        let record = match what {
            "modified" => "database.record_updated".to_owned(),
            other => format!("database.record_{other}"),
        };
        let seen = events.until(&record, |event| is(event, &record, "b.md"));
        let file = format!("filesystem.file_{what}");
        let cause = seen.iter().find(|event| is(event, &file, "b.md")).unwrap();
        let effect = seen.last().unwrap();
        assert_eq!(effect["metadata"]["causation_id"], cause["id"], "{what}");
        assert_eq!(
            effect["metadata"]["correlation_id"],
            cause["metadata"]["correlation_id"]
        );
        assert_eq!(effect["event_type"]["table"], "notes");
        assert_eq!(
            effect["source"],
            json!({ "kind": "database", "id": "datastore" })
        );
    }
    daemon.stop();
}

#[test]
fn first_index_is_told_as_a_whole_and_not_file_by_file() {
    let place = Place::example();
    let mut daemon = place.serve();
    let is_built = |name: &&String| *name == "database.index_built";
    // The tellers follow the index, so the event may come a moment after it is up to date.
    let names = eventually("the index to be told", || {
        let recent = daemon.get("/api/v1/events/recent?limit=1000");
        let names: Vec<String> = recent.as_array().unwrap().iter().map(name).collect();
        names.iter().any(|name| is_built(&name)).then_some(names)
    });
    assert_eq!(names.iter().filter(is_built).count(), 1);
    assert!(
        !names.iter().any(|name| name.starts_with("filesystem.")),
        "{names:?}"
    );
    daemon.stop();
}

#[test]
fn tool_call_over_http_is_told() {
    let (_place, mut daemon, events) = watched(&[("a.md", "needle")]);
    let answer = call_tool(&mut daemon, "search_notes", &json!({ "query": "needle" }));
    assert!(answer.contains("a.md"), "{answer}");
    let of_tool = |event: &Value, wanted: &str| {
        name(event) == wanted && event["event_type"]["tool_name"] == "search_notes"
    };
    let seen = events.until("the answer", |event| of_tool(event, "mcp.tool_response"));
    assert!(
        seen.iter().any(|event| of_tool(event, "mcp.tool_call")),
        "{seen:?}"
    );
    assert!(
        !seen
            .iter()
            .any(|event| event.to_string().contains("needle")),
        "arguments are told"
    );
    call_tool(&mut daemon, "read_note", &json!({ "ref": "no such note" }));
    events.until("the error", |event| {
        name(event) == "mcp.tool_error" && event["event_type"]["tool_name"] == "read_note"
    });
    daemon.stop();
}

#[test]
fn restarted_service_is_told_state_by_state() {
    let (_place, mut daemon, events) = watched(&[("a.md", "x")]);
    let path = "/api/v1/services/mcp-gateway/restart";
    let answer = http::post(daemon.api(), path, &[], "").succeeds().json();
    assert_eq!(answer["state"], "running");
    let is_change = |event: &Value, to: &str| {
        let kind = &event["event_type"];
        kind["type"] == "status_changed"
            && kind["service"] == "mcp-gateway"
            && kind["new_status"] == to
    };
    let seen = events.until("the service to run again", |event| {
        is_change(event, "running")
    });
    for state in ["stopping", "starting"] {
        assert!(
            seen.iter().any(|event| is_change(event, state)),
            "not told: {state}"
        );
    }
    daemon.stop();
}

#[test]
fn start_and_end_of_the_daemon_are_told() {
    let (_place, mut daemon, events) = watched(&[("a.md", "x")]);
    let recent = daemon.get("/api/v1/events/recent?category=system");
    let started = recent.as_array().unwrap();
    let names: Vec<String> = started.iter().map(name).collect();
    assert_eq!(names, ["system.daemon_started"]);
    assert_eq!(
        started[0]["event_type"]["version"],
        env!("CARGO_PKG_VERSION")
    );
    daemon.signal(Signal::TERM);
    let seen = events.until("the end", |event| name(event) == "system.daemon_stopping");
    assert_eq!(seen.last().unwrap()["event_type"]["reason"], "SIGTERM");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn reader_that_comes_back_gets_what_it_missed() {
    let (place, mut daemon, events) = watched(&[("a.md", "x")]);
    place.write("seen.md", "1");
    let seen = events.until("a record", |event| {
        is(event, "database.record_created", "seen.md")
    });
    let last_id = seen.last().unwrap()["id"].as_str().unwrap().to_owned();
    drop(events);
    place.write("missed.md", "2");
    daemon.wait_found("2", &["missed.md"]);
    let again = EventStream::open(daemon.api(), "/api/v1/events", Some(&last_id));
    let missed = again.until("a record", |event| {
        is(event, "database.record_created", "missed.md")
    });
    assert_eq!(
        filesystem(&missed, "missed.md"),
        ["filesystem.file_created"]
    );
    assert!(filesystem(&missed, "seen.md").is_empty(), "told twice");
    daemon.stop();
}

#[test]
fn stream_can_be_narrowed_to_a_category() {
    let place = Place::with(&[("a.md", "x")]);
    let mut daemon = place.serve();
    let events = EventStream::open(daemon.api(), "/api/v1/events?category=filesystem", None);
    place.write("b.md", "1");
    place.write("c.md", "2");
    let seen = events.until("c.md", |event| is_about(event, "c.md"));
    assert!(
        seen.iter()
            .all(|event| name(event) == "filesystem.file_created"),
        "{seen:?}"
    );
    daemon.stop();
}

/// Calls a tool over HTTP as a client of the stateless era does, and returns the answer's text.
#[track_caller]
fn call_tool(daemon: &mut Daemon, tool: &str, arguments: &Value) -> String {
    const VERSION: &str = "2026-07-28";
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": arguments,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientInfo": { "name": "it", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", VERSION),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", tool),
    ];
    http::post(daemon.api(), "/mcp", &headers, &body.to_string())
        .succeeds()
        .body
}
