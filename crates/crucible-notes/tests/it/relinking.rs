//! Links of random notes are rewritten: everything but the targets stays as it was.

use crucible_notes::{Link, LinkKind, parse, rewrite_links};
use proptest::prelude::*;

use crate::properties::piece;

fn note() -> impl Strategy<Value = String> {
    let link = proptest::sample::select(
        &[
            "[[a]]",
            "![[b#h|x]]",
            "[[c#^id]]",
            "[t](d.md)",
            "![t](<e f.md> \"T\")",
            "[r]\n\n[r]: g.md\n",
            "---\nup: \"[[p]]\"\n---\n",
            "`[[q]]`",
            "%%[[s]]%%",
        ][..],
    )
    .prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![1 => link, 2 => piece()], 0..40)
        .prop_map(|pieces| pieces.concat())
}

/// What must stay of a link.
fn rest_of(link: &Link) -> (LinkKind, Vec<String>, Option<String>) {
    (link.kind, link.headings.clone(), link.block.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn undecided_links_leave_the_text_alone(text in note()) {
        let relinked = rewrite_links(&text, |_, _| None);
        prop_assert_eq!(relinked.text, text);
        prop_assert_eq!((relinked.rewritten, relinked.left), (0, 0));
    }

    #[test]
    fn only_targets_change(text in note()) {
        let mut asked = Vec::new();
        let relinked = rewrite_links(&text, |_, target| {
            asked.push(target.to_owned());
            Some("zz.md".to_owned())
        });
        let before = parse(&text).links;
        let after = parse(&relinked.text).links;
        prop_assert_eq!(
            before.iter().map(rest_of).collect::<Vec<_>>(),
            after.iter().map(rest_of).collect::<Vec<_>>(),
            "{:?} became {:?}", text, relinked.text
        );
        // Taking the new targets out leaves what is left of the old text without its targets.
        let mut rest = text.as_str();
        for piece in relinked.text.split("zz.md") {
            let at = rest.find(piece);
            prop_assert!(at.is_some(), "{:?} became {:?}", text, relinked.text);
            rest = &rest[at.unwrap_or(0) + piece.len()..];
        }
    }
}
