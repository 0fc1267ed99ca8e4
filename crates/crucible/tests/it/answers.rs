//! What the commands answer about the example vault, with and without a running daemon.

use serde_json::Value;

use crate::harness::{Place, redact};

/// Runs a command for people and for programs, without and with a daemon, and returns what both
/// ways say alike.
#[track_caller]
fn ask(args: &[&str]) -> (String, Value) {
    let place = Place::example();
    let alone = both(&place, args);
    let daemon = place.serve();
    let served = both(&place, args);
    daemon.stop();
    assert_eq!(alone, served, "with a daemon the answer is another");
    alone
}

fn both(place: &Place, args: &[&str]) -> (String, Value) {
    let text = redact::text(place, &place.about(args).succeeds().stdout);
    (text, redact::json(place.json(args)))
}

#[test]
fn search_answers_the_same_with_and_without_a_daemon() {
    let (text, json) = ask(&["search", "-n", "3", "sluggish", "starter"]);
    insta::assert_snapshot!(text);
    insta::assert_json_snapshot!(json);
}

#[test]
fn search_takes_phrases_exclusions_folders_and_tags() {
    let place = Place::example();
    let paths = |args: &[&str]| {
        let mut all = vec!["search"];
        all.extend(args);
        let answer = place.json(&all);
        crate::harness::place::hit_paths(&answer)
    };
    let all = paths(&["dough"]);
    let below = paths(&["dough", "--folder", "Techniques"]);
    assert!(!below.is_empty() && below.iter().all(|path| path.starts_with("Techniques/")));
    let without = paths(&["dough -starter"]);
    assert!(!without.is_empty() && without.len() < all.len().max(10) + 1);
    let phrase = paths(&["\"bulk fermentation\""]);
    assert!(
        phrase.contains(&"Techniques/Bulk Fermentation.md".to_owned()),
        "{phrase:?}"
    );
    assert_eq!(paths(&["dough", "-n", "2"]).len(), 2);
}

#[test]
fn note_is_printed_as_it_is_written() {
    let (text, json) = ask(&["note", "Poke Test"]);
    insta::assert_snapshot!(text);
    insta::assert_json_snapshot!(json);
}

#[test]
fn links_are_shown_both_ways() {
    let (text, json) = ask(&["links", "Poke Test"]);
    insta::assert_snapshot!(text);
    insta::assert_json_snapshot!(json);
}

#[test]
fn doctor_finds_the_example_vault_in_order() {
    let place = Place::example();
    let text = place.about(&["doctor"]).succeeds().stdout;
    insta::assert_snapshot!(redact::text(&place, &text));
    insta::assert_json_snapshot!(redact::json(place.json(&["doctor"])));
}

#[test]
fn status_says_whether_the_vault_is_served() {
    let place = Place::example();
    let text = |place: &Place| redact::text(place, &place.about(&["status"]).succeeds().stdout);
    insta::assert_snapshot!("status_before_the_first_index", text(&place));
    place.about(&["search", "dough"]).succeeds();
    insta::assert_snapshot!("status_of_an_index_that_is_not_served", text(&place));
    let daemon = place.serve();
    insta::assert_snapshot!("status_of_a_served_vault", text(&place));
    insta::assert_json_snapshot!(
        "status_of_a_served_vault_json",
        redact::json(place.json(&["status"]))
    );
    daemon.stop();
}

#[test]
fn serve_announces_itself_on_one_screen() {
    let place = Place::example();
    let mut daemon = place.serve();
    daemon.wait_line("Ctrl-C stops");
    let screen = redact::text(&place, &daemon.shown.join("\n"));
    assert!(daemon.shown.len() <= 24, "more than a screen:\n{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn every_note_of_the_example_vault_is_found_by_its_title() {
    let place = Place::example();
    let mut daemon = place.serve();
    let listing = daemon.get("/api/v1/notes?limit=1000");
    let notes = listing["notes"].as_array().unwrap();
    assert!(notes.len() > 50, "{} notes", notes.len());
    for note in notes {
        let (path, title) = (
            note["path"].as_str().unwrap(),
            note["title"].as_str().unwrap(),
        );
        let found = daemon.search(title);
        assert!(
            found.iter().any(|hit| hit == path),
            "{title:?} finds {found:?}, not {path:?}"
        );
    }
}
