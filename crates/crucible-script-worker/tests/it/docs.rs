//! The examples of `docs/scripts.md` run, and every host function stands there.

use std::sync::Mutex;

use async_trait::async_trait;
use crucible_script::host::HOST_FUNCTIONS;
use crucible_script::protocol::{HostError, Level};
use crucible_script::worker::HostCalls;
use serde_json::{Value, json};

use crate::support::{main_of, worker};

const PAGE: &str = include_str!("../../../../docs/scripts.md");

/// Returns the examples, each with the heading above it.
fn examples() -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut found = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            heading = line.trim_matches(['#', ' ', '`']).to_owned();
        } else if line == "```rune" {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((heading.clone(), text.join("\n")));
        }
    }
    found
}

/// Answers in the shapes that the page tells, for a vault of one note.
#[derive(Default)]
struct OneNote(Mutex<Vec<String>>);

#[async_trait]
impl HostCalls for OneNote {
    async fn host_call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, HostError> {
        self.0.lock().unwrap().push(name.to_owned());
        let summary = json!({
            "path": "Recipes/Bagels.md", "title": "Bagels", "hash": "f00d", "tags": ["bread"],
            "aliases": [], "size_bytes": 40, "modified_ms": 1,
        });
        let mut note = summary.clone();
        note["text"] = json!("# Bagels\n- [ ] Boil #todo\n## Notes\n");
        note["properties"] = json!({"serves": 8});
        note["headings"] = json!([
            {"level": 1, "text": "Bagels", "line": 1},
            {"level": 2, "text": "Notes", "line": 3},
        ]);
        let written = |at: usize| Ok(json!({"path": arguments[at], "hash": "beef"}));
        match name {
            "notes.read" => Ok(note),
            "notes.exists" => Ok(json!(true)),
            "notes.list" if arguments[0].get("cursor").is_none() => {
                Ok(json!({"notes": [summary], "total": 2, "next_cursor": "next"}))
            }
            "notes.list" => Ok(json!({"notes": [summary], "total": 2, "next_cursor": null})),
            "notes.search" => Ok(json!({
                "hits": [{
                    "path": "Recipes/Bagels.md", "title": "Bagels", "heading_path": [], "line": 2,
                    "snippet": {"text": "Boil", "highlights": [[0, 4]]}, "score": 2.5,
                }],
                "mode": "lexical", "notices": [],
            })),
            "notes.links" => Ok(json!({
                "outgoing": [
                    {"target": "Flour", "resolved": "Flour.md", "line": 2, "kind": "wikilink"},
                    {"target": "Gone", "resolved": null, "line": 2, "kind": "wikilink"},
                ],
                "backlinks": [],
            })),
            "notes.create" if arguments[0] == "Recipes/Bagels" => {
                Err(HostError::new("exists", "it exists already"))
            }
            "notes.rename" => written(1),
            "notes.create"
            | "notes.write"
            | "notes.edit"
            | "notes.append"
            | "notes.append_to_section"
            | "notes.delete" => written(0),
            "events.emit" => Ok(json!("0198c0de")),
            "kv.get" | "kv.set" | "kv.remove" => Ok(json!(null)),
            "kv.keys" => Ok(json!(["seen"])),
            "inference.embed" => Ok(json!([[0.5, 0.5], [1.0, 0.0]])),
            "inference.generate" => Ok(json!({"text": "Boil, then bake."})),
            "clock.now" => Ok(json!({
                "utc": "2026-03-01T06:00:00Z", "local": "2026-03-01T07:00:00",
                "date": "2026-03-01", "weekday": 7, "unix_ms": 1_772_344_800_000_i64,
            })),
            other => panic!("the page uses {other}, which this test does not answer"),
        }
    }

    fn log(&self, _: Level, message: &str) {
        assert!(!message.is_empty());
    }
}

#[tokio::test]
async fn the_examples_run() {
    let mut worker = worker().await;
    let examples = examples();
    assert!(examples.len() > HOST_FUNCTIONS.len());
    for (heading, text) in examples {
        let host = OneNote::default();
        if let Err(error) = worker.call(main_of(&text), &host).await {
            panic!("{heading}: {error}\n{text}");
        }
        let asked = host.0.lock().unwrap().clone();
        if let Some((name, _)) = heading.split_once('(').filter(|_| !heading.contains("log")) {
            let name = name.replace("::", ".");
            assert!(
                asked.contains(&name),
                "the example of {heading} does not call it"
            );
        }
    }
}

#[tokio::test]
async fn examples_give_what_the_page_says() {
    let mut worker = worker().await;
    for (heading, expected) in [
        ("Host API", json!("Recipes/Bagels.md")),
        (
            "notes::read(note)",
            json!({"title": "Bagels", "levels": [1, 2], "serves": 8}),
        ),
        (
            "notes::list(options)",
            json!(["Recipes/Bagels.md", "Recipes/Bagels.md"]),
        ),
        ("notes::links(note)", json!(["Gone"])),
        ("notes::rename(from, to, seen)", json!("Archive/Bagels")),
        ("kv::get(key)", json!(1)),
        ("clock::now()", json!("Journal/2026-03-01.md")),
    ] {
        let all = examples();
        let (_, text) = all.iter().find(|(of, _)| of == heading).unwrap();
        let done = worker.call(main_of(text), &OneNote::default()).await;
        assert_eq!(done.unwrap().value, expected, "{heading}");
    }
}

#[test]
fn every_host_function_has_its_place() {
    for function in HOST_FUNCTIONS {
        let name = function.name.replace('.', "::");
        let heading = format!("#### `{name}({})`", function.arguments.join(", "));
        assert!(PAGE.contains(&heading), "{heading} is missing");
    }
}
