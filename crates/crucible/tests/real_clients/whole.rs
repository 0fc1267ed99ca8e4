//! What the Python client is led through on a copy of the example vault: all tools, a stale hash,
//! links that are rewritten, an update that comes from the disk, and the way back.

use std::fs;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::it::harness::{Place, eventually};
use crate::talk::Talk;
use crate::{calls, check, check_names, check_result};

const PROOFING: &str = "Techniques/Poke Test.md";
const MOVED: &str = "Techniques/Finger Test.md";
const NEW: &str = "Journal/Asked by an agent.md";
/// A note with a link to the one that is moved.
const LINKING: &str = "Troubleshooting/Overproofed Dough.md";
/// A note that is changed by another program.
const SAVED: &str = "Glossary.md";

/// Over `crucible mcp`; what was changed is known to the daemon that serves the vault afterwards.
pub(crate) fn over_stdio(python: &str, mode: &str) -> Result<(), Failed> {
    let place = Place::example();
    // Indexed first: an agent that asks at once is answered from what there is.
    place.search("dough");
    let mut talk = by_command(&place, python, mode);
    everything(&mut talk, &place, mode)?;
    talk.end()?;
    let daemon = place.serve();
    history_and_undo(&place, "mcp:")?;
    daemon.stop();
    Ok(())
}

/// Over `crucible mcp` beside a daemon of the same vault, which does the work.
pub(crate) fn beside_a_daemon(python: &str, mode: &str) -> Result<(), Failed> {
    let place = Place::example();
    let daemon = place.serve();
    let mut talk = by_command(&place, python, mode);
    everything(&mut talk, &place, mode)?;
    talk.end()?;
    // The daemon believes what the token says, and not what its bearer says of itself.
    history_and_undo(&place, "api:")?;
    daemon.stop();
    Ok(())
}

fn by_command(place: &Place, python: &str, mode: &str) -> Talk {
    let vault = place.vault();
    let server = place.command(&["mcp", vault.to_str().unwrap()]);
    let words = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
    let line: Vec<String> = std::iter::once(words(server.get_program()))
        .chain(server.get_args().map(words))
        .collect();
    Talk::begin(python, &server, mode, &json!({ "command": line }))
}

/// Over `/mcp` of `crucible serve`, with a token that may read and write.
pub(crate) fn over_http(python: &str, mode: &str) -> Result<(), Failed> {
    let place = Place::example();
    let mut daemon = place.serve();
    let token = token(&place, &["read", "write"]);
    let server = json!({ "url": format!("http://{}/mcp", daemon.api()), "token": token });
    let mut talk = Talk::begin(python, &place.command(&[""]), mode, &server);
    everything(&mut talk, &place, mode)?;
    talk.end()?;
    history_and_undo(&place, "mcp:")?;
    daemon.stop();
    Ok(())
}

/// Over `/mcp`, with a token that may only read.
pub(crate) fn read_only(python: &str, mode: &str) -> Result<(), Failed> {
    let place = Place::example();
    let mut daemon = place.serve();
    let token = token(&place, &["read"]);
    let server = json!({ "url": format!("http://{}/mcp", daemon.api()), "token": token });
    let mut talk = Talk::begin(python, &place.command(&[""]), mode, &server);
    let listed = talk.ask(&json!({ "do": "tools" }))?;
    let names = listed["tools"].as_array().unwrap();
    check_names(names.iter(), &[])?;
    reading(&mut talk)?;
    let seen = talk.done("read_note", &json!({ "ref": PROOFING }))?;
    let hash = seen["hash"].clone();
    let edits = json!([{ "op": "append", "text": "No.\n" }]);
    for (tool, arguments) in [
        ("create_note", json!({ "path": NEW, "text": "No.\n" })),
        (
            "edit_note",
            json!({ "ref": PROOFING, "if_match": hash, "edits": edits }),
        ),
        (
            "move_note",
            json!({ "ref": PROOFING, "to": MOVED, "if_match": hash }),
        ),
    ] {
        let words = talk.refused(tool, &arguments)?;
        check(words.contains("no tool is called"), &json!(words))?;
    }
    talk.end()?;
    check(!place.vault().join(NEW).exists(), &json!(NEW))?;
    check(!place.vault().join(MOVED).exists(), &json!(MOVED))?;
    check(place.json(&["history"]) == json!([]), &json!("a history"))?;
    daemon.stop();
    Ok(())
}

fn token(place: &Place, scopes: &[&str]) -> String {
    let mut words = vec!["token", "create", "agent"];
    words.extend(scopes.iter().flat_map(|&scope| ["--scope", scope]));
    place.json(&words)["token"].as_str().unwrap().to_owned()
}

fn everything(talk: &mut Talk, place: &Place, mode: &str) -> Result<(), Failed> {
    let listed = talk.ask(&json!({ "do": "tools" }))?;
    let expected = match mode {
        "auto" => "2026-07-28",
        _ => "2025-11-25",
    };
    check(listed["protocol"] == expected, &listed)?;
    check_names(
        listed["tools"].as_array().unwrap().iter(),
        &["create_note", "edit_note", "move_note"],
    )?;
    reading(talk)?;
    writing(talk, place)?;
    moving(talk, place)?;
    being_told(talk, place)
}

fn reading(talk: &mut Talk) -> Result<(), Failed> {
    for (tool, arguments, mentioned) in calls() {
        check_result(tool, mentioned, &talk.call(tool, &arguments)?)?;
    }
    Ok(())
}

/// Creates a note, edits it, and is refused when it edits what it has not seen.
fn writing(talk: &mut Talk, place: &Place) -> Result<(), Failed> {
    let created = talk.done("create_note", &json!({ "path": NEW, "text": "# Asked\n" }))?;
    check(read(place, NEW) == "# Asked\n", &created)?;
    let again = talk.refused("create_note", &json!({ "path": NEW, "text": "Other.\n" }))?;
    check(again.contains("exists already"), &json!(again))?;
    let append = json!([{ "op": "append", "text": "One line.\n" }]);
    let edit = |hash: &Value| json!({ "ref": NEW, "if_match": hash, "edits": append });
    eventually("the new note to be known", || {
        let found = talk.call("read_note", &json!({ "ref": NEW })).unwrap();
        (found["isError"] != true).then_some(())
    });
    let edited = talk.done("edit_note", &edit(&created["hash"]))?;
    check(read(place, NEW) == "# Asked\nOne line.\n", &edited)?;
    check(edited["hash"] != created["hash"], &edited)?;
    let stale = talk.refused("edit_note", &edit(&created["hash"]))?;
    check(
        stale.contains("changed since") && stale.contains(edited["hash"].as_str().unwrap()),
        &json!(stale),
    )?;
    check(read(place, NEW) == "# Asked\nOne line.\n", &json!(stale))
}

/// Moves a note to which others link.
fn moving(talk: &mut Talk, place: &Place) -> Result<(), Failed> {
    let before = read(place, PROOFING);
    let seen = talk.done("read_note", &json!({ "ref": PROOFING }))?;
    let request = json!({ "ref": PROOFING, "to": MOVED, "if_match": seen["hash"] });
    let moved = talk.done("move_note", &request)?;
    check(moved["path"] == MOVED, &moved)?;
    check(!place.vault().join(PROOFING).exists(), &moved)?;
    check(read(place, MOVED) == before, &moved)?;
    check(
        read(place, LINKING).contains("[[Finger Test#^dent-table]]"),
        &json!(read(place, LINKING)),
    )?;
    check(read(place, "Home.md").contains("![[Finger Test]]"), &moved)?;
    let also = moved["also"].as_array().unwrap();
    check(also.contains(&json!(LINKING)), &moved)
}

/// Another program saves a note, and the client hears of it and reads the new text.
fn being_told(talk: &mut Talk, place: &Place) -> Result<(), Failed> {
    let uri = format!("crucible://note/{SAVED}");
    let subscribed = talk.ask(&json!({ "do": "subscribe", "uri": uri }))?;
    check(subscribed == json!({}), &subscribed)?;
    place.write(SAVED, "# Glossary\n\nSaved by an editor.\n");
    let told = talk.ask(&json!({ "do": "told" }))?;
    check(told == json!({ "updated": uri }), &told)?;
    let now = talk.ask(&json!({ "do": "read", "uri": uri }))?;
    let text = now["contents"][0]["text"].as_str().unwrap_or_default();
    check(text.contains("Saved by an editor."), &now)
}

/// The daemon knows what was done, by whom, and takes all of it back.
fn history_and_undo(place: &Place, by: &str) -> Result<(), Failed> {
    let history = place.json(&["history"]);
    let changes = history.as_array().unwrap();
    let done: Vec<(&str, &str)> = changes
        .iter()
        .map(|change| (&change["action"], &change["path"]))
        .map(|(action, path)| (action.as_str().unwrap(), path.as_str().unwrap()))
        .collect();
    let expected = [("move", MOVED), ("edit", NEW), ("create", NEW)];
    check(done == expected, &history)?;
    let is_by = |change: &Value| change["by"].as_str().unwrap().starts_with(by);
    check(changes.iter().all(is_by), &history)?;
    let original = crate::it::harness::place::example_vault();
    for change in changes {
        let id = change["id"].as_str().unwrap();
        place.about(&["undo", id]).succeeds();
    }
    check(!place.vault().join(NEW).exists(), &history)?;
    check(!place.vault().join(MOVED).exists(), &history)?;
    for path in [PROOFING, LINKING, "Home.md"] {
        let expected = fs::read_to_string(original.join(path))?;
        check(read(place, path) == expected, &json!(path))?;
    }
    Ok(())
}

fn read(place: &Place, path: &str) -> String {
    fs::read_to_string(place.vault().join(path)).unwrap_or_default()
}
