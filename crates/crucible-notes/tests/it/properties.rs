//! Random texts: nothing panics and all ranges hold.

use proptest::prelude::*;

use crate::sound::facts_of;

/// Pieces of Markdown that are apt to meet.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "\n", "\n\n", "\r\n", " ", "  ", "    ", "\t", "> ", "- ", "* ", "1. ", "- [ ] ", "- [x] ",
    "# ", "## ", "#", "#tag/a", "[[", "]]", "![[", "|", "\\|", "[", "](", ")", "(", "![", "a.md",
    "%20", "%%", "`", "```\n", "~~~\n", "$", "$$", "**", "*", "_", "~~", "==", "<b>", "</b>",
    "<!--", "-->", "<div>\n", "^id", " ^id\n", "^", "::", "key:: ", "[k:: ", "---\n", "+++\n",
    "***\n", "===\n", "| a | b |\n", "| - | - |\n", "[!note]- ", "[^1]", "[^1]: ", "[r]: a.md\n",
    "[r]", "[]", "&amp;", "&#35;", "\\", "\u{feff}", "é", "🥖", "日本語。", "\u{1}", "\0", "word ",
    "a: b\n", "tags: [x]\n", "{\"a\": 1}\n", "https://a.example/#b",
];

pub(crate) fn piece() -> impl Strategy<Value = String> {
    let marks = proptest::sample::select(PIECES).prop_map(str::to_owned);
    prop_oneof![8 => marks, 1 => "\\PC{0,8}", 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_gives_sound_facts(text in any::<String>()) {
        facts_of(&text);
    }

    #[test]
    fn pieces_of_markdown_give_sound_facts(pieces in prop::collection::vec(piece(), 0..60)) {
        facts_of(&pieces.concat());
    }

    #[test]
    fn repeated_pieces_give_sound_facts(
        pieces in prop::collection::vec((piece(), 1usize..200), 0..12),
    ) {
        let text: String = pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect();
        facts_of(&text);
    }

    #[test]
    fn cut_and_joined_notes_give_sound_facts(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..400), 1..8),
    ) {
        let notes = crate::example_vault::notes();
        let mut text = String::new();
        for (note, start, length) in &cuts {
            let note = note.get(&notes);
            let start = note.floor_char_boundary(start.index(note.len().max(1)));
            let end = note.floor_char_boundary((start + length).min(note.len()));
            text.push_str(&note[start..end.max(start)]);
        }
        facts_of(&text);
    }

    #[test]
    fn any_bytes_decode_and_parse(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Some(text) = crucible_notes::decode(&bytes).text() {
            facts_of(text);
        }
    }
}
