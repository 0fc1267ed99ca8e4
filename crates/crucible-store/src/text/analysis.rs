//! From a text to its words, the same way for the index, for queries and for snippets.
//!
//! A word is a run of letters and digits; `_`, `-`, `.` and apostrophes divide, so that an
//! identifier is found by its parts, and as a whole by their sequence. In scripts without spaces every
//! character is a word, and so is an emoji.

use std::ops::Range;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::fold::{Class, class, push_folded};
use super::stem::Stems;

/// What is kept of a longer word, in bytes.
const WORD_BYTES_MAX: usize = 80;

/// Cuts a text into folded words, not yet stemmed.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Writes the next word into `out` and returns where it stands; `true` for a character of a
    /// script without spaces or an emoji.
    pub(super) fn next(&mut self, out: &mut String) -> Option<(Range<usize>, bool)> {
        out.clear();
        let bytes = self.text.as_bytes();
        loop {
            while bytes
                .get(self.at)
                .is_some_and(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
            {
                self.at += 1;
            }
            let first = *bytes.get(self.at)?;
            if first.is_ascii() {
                return Some((self.word(out), false));
            }
            let c = self.text[self.at..].chars().next()?;
            match class(c) {
                Class::Word => return Some((self.word(out), false)),
                Class::Single => return Some((self.single(c, out), true)),
                Class::Attached | Class::Ignored | Class::Separator => self.at += c.len_utf8(),
            }
        }
    }

    /// As [`Words::next`], but passes over words that begin with a byte which is not among `firsts`, as
    /// far as that is seen quickly: others may still come. `true` when it passed over some.
    pub(super) fn next_of(
        &mut self,
        firsts: &[bool; 256],
        out: &mut String,
    ) -> Option<(Range<usize>, bool)> {
        let bytes = self.text.as_bytes();
        let mut has_passed = false;
        while let Some(&first) = bytes.get(self.at).filter(|byte| byte.is_ascii()) {
            if !first.is_ascii_alphanumeric() {
                self.at += 1;
                continue;
            }
            if firsts[usize::from(first.to_ascii_lowercase())] {
                break;
            }
            has_passed = true;
            let start = self.at;
            let letters = bytes[start..]
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric());
            self.at += letters.count();
            if bytes.get(self.at).is_some_and(|byte| !byte.is_ascii()) {
                self.at = start; // letters of other scripts may belong to the word
                out.clear();
                self.word(out);
            }
        }
        self.next(out).map(|(span, _)| (span, has_passed))
    }

    fn word(&mut self, out: &mut String) -> Range<usize> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start;
        loop {
            let rest = &bytes[self.at..];
            let letters = rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric())
                .count();
            if letters > 0 {
                push_ascii(&self.text[self.at..self.at + letters], out);
                self.at += letters;
                end = self.at;
            }
            if rest.get(letters).is_none_or(u8::is_ascii) {
                break;
            }
            let Some(c) = self.text[self.at..].chars().next() else {
                break;
            };
            match class(c) {
                Class::Word => {
                    if out.len() < WORD_BYTES_MAX {
                        push_folded(c, out);
                    }
                }
                Class::Ignored => {}
                Class::Single | Class::Attached | Class::Separator => break,
            }
            self.at += c.len_utf8();
            end = self.at;
        }
        start..end
    }

    fn single(&mut self, first: char, out: &mut String) -> Range<usize> {
        let start = self.at;
        push_folded(first, out);
        self.at += first.len_utf8();
        while let Some(c) = self.text[self.at..].chars().next() {
            match class(c) {
                Class::Attached if out.len() < WORD_BYTES_MAX => push_folded(c, out),
                Class::Attached | Class::Ignored => {}
                Class::Word | Class::Single | Class::Separator => break,
            }
            self.at += c.len_utf8();
        }
        start..self.at
    }
}

/// Adds ASCII letters in lower case, as far as a word is kept.
fn push_ascii(letters: &str, out: &mut String) {
    let start = out.len();
    let room = WORD_BYTES_MAX.saturating_sub(start);
    out.push_str(&letters[..letters.len().min(room)]);
    out[start..].make_ascii_lowercase();
}

/// A word of a query or of a text that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word {
    /// Folded, as it is written.
    pub(super) literal: String,
    /// What the index holds.
    pub(super) stem: String,
    /// Whether it is a character of a script without spaces, or an emoji.
    pub(super) single: bool,
}

/// Returns the first words of `text`, at most `limit`.
pub(super) fn words(text: &str, limit: usize) -> Vec<Word> {
    let mut stems = Stems::new();
    let mut scanner = Words::new(text);
    let mut buffer = String::new();
    let mut words = Vec::new();
    while words.len() < limit
        && let Some((_, single)) = scanner.next(&mut buffer)
    {
        let literal = buffer.clone();
        stems.stem_once(&mut buffer);
        words.push(Word {
            literal,
            stem: buffer.clone(),
            single,
        });
    }
    words
}

/// The form under which a title and a query are the same: the words as written, one space
/// between; `None` when there is none.
pub(super) fn name_key(name: &str) -> Option<String> {
    let mut scanner = Words::new(name);
    let mut word = String::new();
    let mut key = String::new();
    while key.len() < super::fold::KEY_BYTES_MAX && scanner.next(&mut word).is_some() {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(&word);
    }
    (!key.is_empty()).then_some(key)
}

/// The analysis as the index calls it.
#[derive(Clone)]
pub(super) struct BlockTokenizer {
    stems: Stems,
}

impl BlockTokenizer {
    pub(super) fn new() -> Self {
        Self {
            stems: Stems::new(),
        }
    }
}

impl Tokenizer for BlockTokenizer {
    type TokenStream<'a> = BlockTokens<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> BlockTokens<'a> {
        BlockTokens {
            words: Words::new(text),
            stems: &mut self.stems,
            token: Token::default(),
        }
    }
}

/// The words of one text, stemmed.
pub(super) struct BlockTokens<'a> {
    words: Words<'a>,
    stems: &'a mut Stems,
    token: Token,
}

impl TokenStream for BlockTokens<'_> {
    fn advance(&mut self) -> bool {
        let Some((span, _)) = self.words.next(&mut self.token.text) else {
            return false;
        };
        self.stems.stem(&mut self.token.text);
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = span.start;
        self.token.offset_to = span.end;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = words(text, 100).into_iter().map(|word| word.stem).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_are_folded_and_stemmed() {
        check("The Cafés are RUNNING", &["the", "cafe", "are", "run"]);
        check(
            "snake_case-name v1.2",
            &["snake", "case", "name", "v1", "2"],
        );
        check("don’t l'été", &["don", "t", "l", "ete"]);
        check("co\u{ad}operate e\u{301}te\u{301}", &["cooper", "ete"]);
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_characters() {
        check(
            "東京タワー2020年",
            &["東", "京", "タ", "ワ", "ー", "2020", "年"],
        );
        check("がか\u{3099}", &["か\u{3099}", "か\u{3099}"]);
        check("👩‍💻 🥖️x", &["👩", "💻", "🥖", "x"]);
    }

    #[test]
    fn names_are_equal_whatever_their_case_accents_and_punctuation() {
        assert_eq!(name_key("C# & Café!"), name_key("c cafe"));
        assert_ne!(name_key("note"), name_key("notes"));
        assert_eq!(name_key(" *** "), None);
    }

    proptest! {
        #[test]
        fn passed_words_are_those_that_begin_otherwise(text in "([a-cA-C19éß東🥖\u{301}\u{ad}_.\\-]| ){0,40}") {
            let mut firsts = [false; 256];
            for first in ["b", "1", "e", "東"] {
                firsts[usize::from(first.as_bytes()[0])] = true;
            }
            let is_wanted = |word: &str| firsts[usize::from(word.as_bytes()[0])];
            // The wanted words, and whether another one stands right before.
            let mut every = Words::new(&text);
            let mut word = String::new();
            let mut expected = Vec::new();
            let mut is_after_other = false;
            while let Some((span, _)) = every.next(&mut word) {
                if is_wanted(&word) {
                    expected.push((span, word.clone(), is_after_other));
                }
                is_after_other = !is_wanted(&word);
            }
            let mut some = Words::new(&text);
            let mut found = Vec::new();
            is_after_other = false;
            while let Some((span, has_passed)) = some.next_of(&firsts, &mut word) {
                if is_wanted(&word) {
                    found.push((span, word.clone(), is_after_other || has_passed));
                }
                is_after_other = !is_wanted(&word);
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn words_stand_in_order_on_character_boundaries(text in any::<String>()) {
            let mut scanner = Words::new(&text);
            let mut word = String::new();
            let mut end = 0;
            while let Some((span, _)) = scanner.next(&mut word) {
                prop_assert!(span.start >= end && span.start < span.end);
                prop_assert!(text.get(span.clone()).is_some());
                prop_assert!(word.len() <= WORD_BYTES_MAX + 16);
                end = span.end;
            }
        }
    }
}
