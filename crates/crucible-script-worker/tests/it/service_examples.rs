//! The example scripts pass their own tests, and do on the example vault what they say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crucible_script::rehearsal::{MemoryVault, Rehearsal};
use serde_json::json;

use crate::support::command;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

async fn open(name: &str) -> Rehearsal {
    let folder = examples().join("scripts").join(name);
    Rehearsal::open(&folder, command()).await.unwrap()
}

fn vault() -> Arc<MemoryVault> {
    Arc::new(MemoryVault::read(&examples().join("vault")).unwrap())
}

#[tokio::test]
async fn every_example_passes_its_own_tests() {
    let scripts = std::fs::read_dir(examples().join("scripts")).unwrap();
    let mut tested = 0;
    for script in scripts {
        let name = script.unwrap().file_name().into_string().unwrap();
        let rehearsal = open(&name).await;
        assert!(
            rehearsal.warnings().is_empty(),
            "{name}: {:?}",
            rehearsal.warnings()
        );
        assert!(!rehearsal.tests().is_empty(), "{name} has no test");
        for test in rehearsal.tests() {
            let outcome = rehearsal.test(&test).await;
            assert_eq!(outcome.error, None, "{name}: {test}");
            tested += 1;
        }
        rehearsal.close().await;
    }
    assert!(tested >= 5, "{tested}");
}

#[tokio::test]
async fn daily_digest_links_what_changed() {
    let vault = vault();
    let rehearsal = open("daily-digest").await;
    let event = json!({ "path": "Recipes/Bagels.md" });
    rehearsal
        .call("note_changed", vec![event], &vault)
        .await
        .unwrap();
    let page = vault
        .paths()
        .into_iter()
        .find(|path| path.starts_with("Journal/Changes/"));
    let text = vault.text(&page.unwrap()).unwrap();
    assert!(text.contains("[[Recipes/Bagels.md|Bagels]]"), "{text}");
}

#[tokio::test]
async fn tag_index_lists_the_notes_of_a_tag() {
    let rehearsal = open("tag-index").await;
    let input = json!({ "tag": "recipe", "limit": 3 });
    let outcome = rehearsal
        .call("notes_of_tag", vec![input], &vault())
        .await
        .unwrap();
    let notes = outcome.value["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 3);
    assert!(
        notes
            .iter()
            .all(|note| note["path"].as_str().unwrap().starts_with("Recipes/"))
    );
    assert!(outcome.value["total"].as_u64().unwrap() > 3);
}

#[tokio::test]
async fn weekly_review_writes_a_summary() {
    let vault = vault();
    let before = vault.paths().len();
    let rehearsal = open("weekly-review").await;
    rehearsal
        .call("review", vec![json!({})], &vault)
        .await
        .unwrap();
    let page = vault
        .paths()
        .into_iter()
        .find(|path| path.starts_with("Journal/Reviews/"));
    let text = vault.text(&page.unwrap()).unwrap();
    assert!(text.contains(&format!("{before} notes, ")), "{text}");
}
