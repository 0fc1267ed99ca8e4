//! What is taken, and which fault is told for what is not.

use std::time::Duration;

use crucible_services::script::{Budget, Error};

use super::*;

const WHOLE: &str = r##"
name = "digest"
about = "Keeps a log of what changed"
api = 1

[[on]]
events = ["filesystem.file_created", "filesystem.file_modified"]
paths = ["Inbox/**"]
not_paths = ["Inbox/Log.md"]
tags = ["#project"]
function = "changed"

[[on]]
events = ["custom.other.*"]
function = "told"

[[tool]]
name = "notes_of_tag"
about = "Lists the notes of a tag"
read_only = true
[tool.input]
type = "object"
required = ["tag"]
[tool.input.properties.tag]
type = "string"

[[schedule]]
cron = "0 18 * * FRI"
timezone = "UTC"
function = "weekly"
missed = "once"
jitter = "30s"

[capabilities]
notes.read = ["Inbox/**"]
notes.write = "Inbox/Log.md"
events.subscribe = ["custom.other.*"]
events.emit = ["custom.digest.*"]
kv = true
inference = ["embed"]
mcp.expose = ["notes_of_tag"]

[budget]
instructions = 1_000_000
wall = "2s"
memory = "32MB"
output = "64kB"
host_calls = 100
"##;

#[test]
fn a_whole_manifest_is_read() {
    let manifest = Manifest::parse("digest", WHOLE).unwrap();
    assert_eq!(manifest.handlers.len(), 2);
    assert_eq!(manifest.handlers[0].tags, ["project"]);
    assert_eq!(manifest.tools[0].function, "notes_of_tag");
    assert!(manifest.tools[0].read_only);
    assert_eq!(manifest.schedules[0].jitter, Duration::from_secs(30));
    assert_eq!(manifest.schedules[0].missed, Missed::Once);
    let asked: Vec<String> = manifest
        .capabilities
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        asked,
        [
            "notes.read: Inbox/**",
            "notes.write: Inbox/Log.md",
            "events.subscribe: custom.other.*",
            "events.emit: custom.digest.*",
            "kv",
            "inference: embed",
            "mcp.expose: notes_of_tag",
        ]
    );
    let budget = Budget {
        instructions: 1_000_000,
        wall: Duration::from_secs(2),
        memory_bytes: 32 << 20,
        output_bytes: 64 << 10,
        host_calls: 100,
    };
    assert_eq!(manifest.budget, budget);
    assert_eq!(
        manifest.functions(),
        ["changed", "told", "notes_of_tag", "weekly"]
    );
    assert_eq!(manifest.hash.len(), 64);
}

#[test]
fn what_is_left_out_has_a_default_and_grants_nothing() {
    let manifest = Manifest::parse("x", "about = \"a\"\napi = 1\n").unwrap();
    assert_eq!(manifest.budget, Budget::default());
    assert!(manifest.capabilities.is_empty() && manifest.functions().is_empty());
}

/// Expects the fault of a manifest that begins with two good lines.
fn refused(rest: &str) -> String {
    let text = format!("about = \"a\"\napi = 1\n{rest}");
    match Manifest::parse("digest", &text) {
        Err(Error::Manifest(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn check(rest: &str, line: u64, words: &str) {
    let message = refused(rest);
    let line = format!("line {line}: ");
    assert!(message.starts_with(&line), "{message}");
    assert!(message.contains(words), "{message}");
}

#[test]
fn unknown_keys_are_faults_that_name_the_nearest_key() {
    check("handlers = 1", 3, "has no key `handlers`");
    check("[[on]]\nevnts = []", 4, "did you mean `events`?");
    check("[[tool]]\nreadonly = true", 4, "did you mean `read_only`?");
    check("[[schedule]]\nzone = \"UTC\"", 4, "has no key `zone`");
    check("[capabilities]\nnotes.reed = []", 4, "did you mean `read`?");
    check("[capabilities]\nnet = true", 4, "has no key `net`");
    check("[budget]\nmemroy = \"1MB\"", 4, "did you mean `memory`?");
}

#[test]
fn faults_name_their_line_and_their_cure() {
    check("[[on]]\nfunction = \"f\"", 3, "lacks `events`");
    check(
        "[[on]]\nevents = [\"file.saved\"]\nfunction = \"f\"",
        4,
        "no category",
    );
    let slip = "[[on]]\nevents = [\"filesystem.file_modifed\"]\nfunction = \"f\"";
    check(slip, 4, "did you mean `file_modified`?");
    check(
        "[[on]]\nevents = [\"filesystem\"]\nfunction = \"f\"",
        4,
        "\"filesystem.*\"",
    );
    let unread = "[[on]]\nevents = [\"filesystem.*\"]\nfunction = \"f\"";
    check(unread, 4, "`notes.read = [\"Inbox/**\"]`");
    let unheard = "[[on]]\nevents = [\"mcp.tool_call\"]\nfunction = \"f\"";
    check(unheard, 4, "events.subscribe");
    check(
        "[[schedule]]\ncron = \"99 * * * *\"\nfunction = \"f\"",
        4,
        "five fields",
    );
    check(
        "[[schedule]]\ncron = \"0 0 31 2 *\"\nfunction = \"f\"",
        4,
        "no date ever matches",
    );
    check(
        "[[schedule]]\ncron = \"0 * * * *\"\nfunction = \"f g\"",
        5,
        "function's name",
    );
    check(
        "[capabilities]\nnotes.read = [\"../**\"]",
        4,
        "out of the vault",
    );
    check(
        "[capabilities]\nevents.emit = [\"custom.other.x\"]",
        4,
        "custom.digest.",
    );
    check(
        "[capabilities]\ninference = [\"train\"]",
        4,
        "\"embed\" or \"generate\"",
    );
    check("[capabilities]\nmcp.expose = [\"t\"]", 3, "no [[tool]]");
    check(
        "[[tool]]\nname = \"t\"\nabout = \"a\"",
        4,
        "mcp.expose = [\"t\"]",
    );
    check("[[tool]]\nname = \"T\"\nabout = \"a\"", 4, "tool's name");
    check("[budget]\nwall = \"5 minutes\"", 4, "no duration");
    check("[budget]\nwall = \"2h\"", 4, "at most 600s");
    check("[budget]\nmemory = \"9GB\"", 4, "from 1 to");
    check("[budget]\nhost_calls = -1", 4, "from 1 to");
    check("on = \"x\"", 3, "double brackets");
    check("x = ", 3, "");
}

#[test]
fn the_version_of_the_api_must_be_one_that_is_offered() {
    let parse = |text: &str| Manifest::parse("x", text).unwrap_err().to_string();
    assert!(parse("about = \"a\"").contains("`api` is missing"));
    assert!(parse("about = \"a\"\napi = 2").contains("line 2: version 2"));
    assert!(parse("api = 1").contains("lacks `about`"));
    assert!(parse("about = \"a\"\napi = 1\nname = \"y\"").contains("folder is called \"x\""));
}

#[test]
fn names_that_could_be_mistaken_are_refused() {
    for name in ["", "Digest", "1x", "a_b", "a/b", "..", "-", &"a".repeat(41)] {
        assert!(check_name(name).is_err(), "{name}");
    }
    for name in ["a", "daily-digest", "x2"] {
        check_name(name).unwrap();
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    let whole = WHOLE.as_bytes();
    for cut in 0..whole.len() {
        // Whatever is cut off, the answer is a manifest or a fault.
        let text = String::from_utf8_lossy(&whole[..cut]);
        let _fault = Manifest::parse("digest", &text);
        let mut flipped = whole.to_vec();
        flipped[cut] ^= 0x15;
        let _fault = Manifest::parse("digest", &String::from_utf8_lossy(&flipped));
    }
}
