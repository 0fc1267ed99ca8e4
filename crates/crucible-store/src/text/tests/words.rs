//! What counts as the same word.

use super::fixture::Shelf;

fn check(text: &str, finds: &[&str], misses: &[&str]) {
    let shelf = Shelf::with(&[("note.md", text), ("other.md", "unrelated")]);
    for query in finds {
        assert_eq!(shelf.found(query), ["note.md"], "{query:?} in {text:?}");
    }
    for query in misses {
        assert!(shelf.found(query).is_empty(), "{query:?} in {text:?}");
    }
}

#[test]
fn case_accents_and_unicode_form_do_not_count() {
    check(
        "Crème BRÛLÉE",
        &["creme", "CRÈME", "cre\u{300}me", "brulee "],
        &["cream "],
    );
    check("Cre\u{300}me", &["crème", "creme"], &[]);
    check("Straße", &["strasse", "STRASSE"], &[]);
    check("ΟΔΟΣ", &["οδος"], &[]);
}

#[test]
fn words_are_found_in_their_other_forms() {
    check(
        "fermented loaves",
        &["fermenting ", "loaves "],
        &["ferret "],
    );
}

#[test]
fn identifiers_are_found_whole_and_by_their_parts() {
    check(
        "call read_note_text here",
        &["read_note_text", "note", "\"read_note\""],
        &[],
    );
    check(
        "a well-known fact",
        &["well-known", "known", "well"],
        &["known-well"],
    );
    check("see v1.2.3", &["2.3 ", "v1.2.3"], &["3.2.1"]);
}

#[test]
fn scripts_without_spaces_are_found_by_any_sequence() {
    check(
        "東京都に住んでいます",
        &["東京", "京都", "住んでいます", "都"],
        &["都京"],
    );
    check(
        "한국어를 배워요",
        &["한국", "한국어", "\u{1112}\u{1161}\u{11ab}"],
        &["국한"],
    );
    check("ภาษาไทย", &["ไทย"], &[]);
}

#[test]
fn emoji_are_words() {
    check("baking 🥖 and ☕️", &["🥖", "☕", "☕\u{fe0f}"], &["🍞"]);
}
