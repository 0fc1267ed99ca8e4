//! Edits of random notes: what is outside of an edit stays byte for byte.

use crucible_notes::{edit, parse};
use proptest::prelude::*;

use crate::properties::piece;

fn note() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

/// Lines to put in: none of them is a heading, a fence or a mark of a comment.
fn lines() -> impl Strategy<Value = String> {
    "[a-z é-]{1,12}(\n[a-z ]{1,12}){0,3}\n?"
}

/// Checks that `new` is `old` with one piece put in at one place, which holds `added`.
#[track_caller]
fn check_insertion(old: &str, new: &str, added: &str) {
    let start = old
        .bytes()
        .zip(new.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let rest = old.len() - start;
    assert!(
        new.len() >= old.len() && new.as_bytes().ends_with(&old.as_bytes()[start..]),
        "{old:?} {new:?}"
    );
    let piece_len = new.len() - rest - start;
    assert!(
        piece_len <= added.replace('\n', "\r\n").len() + 6,
        "{old:?} {new:?}"
    );
    assert!(
        new.replace("\r\n", "\n").contains(added),
        "{new:?} {added:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn appending_and_prepending_put_one_piece_in(text in note(), added in lines()) {
        let appended = edit::append(&text, &added);
        prop_assert!(appended.starts_with(&text));
        check_insertion(&text, &appended, &added);
        check_insertion(&text, &edit::prepend(&text, &added), &added);
    }

    #[test]
    fn a_piece_is_replaced_where_it_is_and_nowhere_else(
        text in note(),
        from in any::<prop::sample::Index>(),
        length in 1usize..30,
        new in lines(),
    ) {
        let start = text.floor_char_boundary(from.index(text.len() + 1));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        let old = &text[start..end];
        match edit::replace(&text, old, &new) {
            Ok(edited) => {
                prop_assert_eq!(text.matches(old).count(), 1);
                prop_assert!(edited.starts_with(&text[..start]));
                prop_assert!(edited.ends_with(&text[end..]));
            }
            Err(refusal) => {
                prop_assert!(!refusal.reason.is_empty());
                let is_once = !old.is_empty() && text.matches(old).count() == 1;
                prop_assert!(!is_once || text[start + 1..].find(old).is_some() || text[..end - 1].find(old).is_some(), "{}", refusal);
            }
        }
    }

    #[test]
    fn a_section_grows_where_it_is(text in note(), which in any::<prop::sample::Index>(), added in lines()) {
        let headings = parse(&text).headings;
        if headings.is_empty() {
            prop_assert!(edit::append_to_section(&text, "x", &added).is_err());
            return Ok(());
        }
        let heading = which.get(&headings);
        if let Ok(edited) = edit::append_to_section(&text, &heading.text, &added) {
            check_insertion(&text, &edited, &added);
            prop_assert!(edited.starts_with(&text[..heading.span.end]));
        }
        if let Ok(edited) = edit::replace_section(&text, &heading.text, &added) {
            prop_assert!(edited.starts_with(&text[..heading.span.end]));
            let next = headings.iter().find(|next| next.span.start > heading.span.start && next.level <= heading.level);
            if let Some(next) = next {
                prop_assert!(edited.ends_with(&text[next.span.start..]));
            }
        }
    }
}
