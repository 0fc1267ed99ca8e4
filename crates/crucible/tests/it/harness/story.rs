//! The story of a saved note, for the tests that follow it: with words alone, and with vectors.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Daemon, EventStream, Place, copy_folder, eventually, http};

/// The note that is saved.
pub(crate) const SAVED: &str = "Ingredients/Rye Flour.md";
/// What is added to the note that is saved.
const ADDED: &str = "Quokkas are small marsupials that smile at visitors on their island.";
const DIGEST: &str = "daily-digest";

/// The example vault with the example script, served, with the script granted what it asks for.
pub(crate) fn served_with_script() -> (Place, Daemon) {
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
pub(crate) fn digest(place: &Place) -> Option<String> {
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

/// Saves a note and follows it: to the script that writes a note of its own, to the agent that has
/// subscribed, and, once `settled` has returned, to the page that tells all of it.
pub(crate) fn saved_note(
    place: &Place,
    daemon: &mut Daemon,
    settled: impl FnOnce(&mut Daemon, &str),
) {
    let uri = "crucible://note/Ingredients%2FRye%20Flour.md".to_owned();
    let other = "crucible://note/Ingredients/Rye%20Flour.md".to_owned();
    let mut agent = listen(daemon, &[uri, other]);
    let events = EventStream::open(daemon.api(), "/api/v1/events", None);

    let file = place.vault().join(SAVED);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n## Elsewhere\n\n{ADDED}\n")).unwrap();

    // The script's call is the end of what the change leads to.
    let told = events.until("script.completed", |event| {
        event["event_type"]["category"] == "script" && event["event_type"]["type"] == "completed"
    });
    let first = told
        .iter()
        .find(|event| event["event_type"]["path"] == SAVED)
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
    eventually("the saved words are found", || {
        daemon
            .search("quokkas")
            .iter()
            .any(|path| path == SAVED)
            .then_some(())
    });
    assert!(digest(place).unwrap().contains("Rye flour"));
    settled(daemon, correlation(first));
    let page = http::get(
        daemon.api(),
        &format!("/events?correlation={}", correlation(first)),
    )
    .succeeds()
    .body;
    for part in ["file_modified", "file_created", "script.completed"] {
        assert!(page.contains(part), "{part} on the page of the story");
    }
}
