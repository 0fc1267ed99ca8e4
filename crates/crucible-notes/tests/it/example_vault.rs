//! The example vault, as its readers see it.

use std::fs;
use std::path::{Path, PathBuf};

use crucible_notes::{LinkKind, NoteFacts};

use crate::sound::facts_of;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/vault")
}

/// The texts of all notes.
pub(crate) fn notes() -> Vec<String> {
    let mut folders = vec![root()];
    let mut notes = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the example vault is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                notes.push(fs::read_to_string(path).expect("a note"));
            }
        }
    }
    notes.sort();
    notes
}

fn note(path: &str) -> (String, NoteFacts) {
    let text = fs::read_to_string(root().join(path)).expect("a note");
    let facts = facts_of(&text);
    (text, facts)
}

#[test]
fn every_note_has_blocks_and_sound_frontmatter() {
    let notes = notes();
    assert!(notes.len() >= 30, "{} notes", notes.len());
    for text in notes {
        let facts = facts_of(&text);
        assert!(!facts.blocks.is_empty(), "{text}");
        assert_eq!(facts.frontmatter_fault, None, "{text}");
        assert!(
            facts.blocks.iter().all(|block| block.span.len() <= 2300),
            "{text}"
        );
    }
}

#[test]
fn home_has_its_properties_links_and_tasks() {
    let (text, facts) = note("Home.md");
    assert_eq!(facts.title.as_deref(), Some("Home"));
    assert_eq!(facts.aliases, ["Start here", "Map of the vault"]);
    assert_eq!(facts.properties["pinned"], serde_json::Value::Bool(true));
    assert_eq!(facts.properties["created"], "2024-11-02");
    let tags: Vec<&str> = facts.tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(tags, ["map", "home"]);
    let statuses: String = facts.tasks.iter().map(|task| task.status).collect();
    assert_eq!(statuses, "  x-");
    assert_eq!(
        facts.tasks[0].text,
        "Find a mill that sells Khorasan Wheat in small bags"
    );
    let first = &facts.links[0];
    assert_eq!(
        (first.kind, first.target.as_str()),
        (LinkKind::Property, "Autolyse")
    );
    let glossary = facts
        .links
        .iter()
        .find(|link| link.kind == LinkKind::Markdown)
        .unwrap();
    assert_eq!(
        (glossary.target.as_str(), &*glossary.headings),
        ("Glossary.md", &["Words".to_owned()][..])
    );
    let ratio = facts
        .links
        .iter()
        .find(|link| link.block.is_some())
        .unwrap();
    assert_eq!(
        &text[ratio.span.clone()],
        "![[Sourdough Starter#^starter-ratio]]"
    );
    let shelf = facts
        .links
        .iter()
        .find(|link| link.target == "Techniques/Index")
        .unwrap();
    assert_eq!(shelf.alias.as_deref(), Some("Techniques"));
}

#[test]
fn autolyse_names_a_paragraph_and_holds_a_callout() {
    let (text, facts) = note("Techniques/Autolyse.md");
    let headings: Vec<&str> = facts
        .headings
        .iter()
        .map(|heading| heading.text.as_str())
        .collect();
    assert_eq!(
        headings,
        [
            "Autolyse",
            "What happens in the bowl",
            "Why the salt waits",
            "How long"
        ]
    );
    let id = facts
        .blocks
        .iter()
        .flat_map(|block| &block.ids)
        .next()
        .unwrap();
    assert_eq!(id.id, "autolyse-why");
    assert!(text[id.span.clone()].starts_with("Flour drinks slowly."));
    let callout = &facts.callouts[0];
    assert_eq!(callout.kind, "note");
    assert_eq!(
        callout.title.as_deref(),
        Some("Is it still an autolyse with starter in it?")
    );
    let table = facts
        .blocks
        .iter()
        .find(|block| block.text.contains("Whole wheat"))
        .unwrap();
    assert_eq!(
        table.heading.map(|heading| &*facts.headings[heading].text),
        Some("How long")
    );
    assert!(table.text.contains("Rye") && !table.text.contains("[["));
}

#[test]
fn the_journal_has_fields_and_hides_its_comment() {
    let (_, facts) = note("Journal/2025/2025-03-14.md");
    let fields: Vec<(&str, &str)> = facts
        .fields
        .iter()
        .map(|field| (field.key.as_str(), field.value.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("bake", "[[Country Loaf]]"),
            ("hydration", "75%"),
            ("dough_temp", "25 °C"),
            ("score", "9")
        ]
    );
    assert!(
        facts
            .blocks
            .iter()
            .all(|block| !block.text.contains("old phone"))
    );
    assert!(
        facts
            .blocks
            .iter()
            .flat_map(|block| &block.ids)
            .any(|id| id.id == "march-lesson")
    );
}
