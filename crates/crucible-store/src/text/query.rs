//! The query language: words, `"phrases"` and `-exclusions`.
//!
//! Whatever is typed means something; only a query without a single word is refused. Operators of other programs
//! (`tag:`, `OR`, brackets) are words here.

use super::Error;
use super::analysis::{Word, name_key, words};

/// What is read of a query, in bytes; the rest is not searched.
const QUERY_BYTES_MAX: usize = 4096;
/// Words and phrases that are searched, and as many exclusions; more are left out.
pub(super) const UNITS_MAX: usize = 32;
/// Words of one phrase; more are left out.
const PHRASE_WORDS_MAX: usize = 32;
/// Characters of a script without spaces that must follow each other; a longer run is taken as
/// overlapping pairs.
const RUN_MAX: usize = 3;

/// What a note is searched by. Its parts are found in the title or in one block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Unit {
    /// The words that follow each other; never empty.
    pub(super) words: Vec<Word>,
    /// Whether it must be in the note, as it is written and not only by its stems.
    pub(super) quoted: bool,
}

/// A query that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// What to find; never empty.
    pub(super) units: Vec<Unit>,
    /// What the notes found must not have anywhere.
    pub(super) excluded: Vec<Unit>,
    /// The whole query as a name, when it can be one.
    pub(super) name: Option<String>,
    /// The last word as far as it has been typed.
    pub(super) prefix: Option<String>,
}

impl Query {
    /// Reads what a person or a program typed.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] when nothing in it can be searched.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = &text[..text.floor_char_boundary(QUERY_BYTES_MAX)];
        let mut units = Vec::new();
        let mut excluded = Vec::new();
        for piece in pieces(text) {
            let into = if piece.excluded {
                &mut excluded
            } else {
                &mut units
            };
            for unit in units_of(&piece) {
                if into.len() < UNITS_MAX && !into.contains(&unit) {
                    into.push(unit);
                }
            }
        }
        if units.is_empty() {
            let message = if excluded.is_empty() {
                "the query has no word to search for; give a word or a \"phrase\""
            } else {
                "the query only excludes; add a word that the notes should have"
            };
            return Err(Error::InvalidQuery {
                message: message.to_owned(),
            });
        }
        let name = if excluded.is_empty() {
            name_key(text)
        } else {
            None
        };
        let prefix = prefix(text, &units);
        Ok(Self {
            units,
            excluded,
            name,
            prefix,
        })
    }
}

/// What a query says in words, to be compared by meaning: without quotes and without what it excludes.
///
/// # Errors
/// As [`Query::parse`].
pub(crate) fn meaning(text: &str) -> Result<String, Error> {
    Query::parse(text)?;
    let text = &text[..text.floor_char_boundary(QUERY_BYTES_MAX)];
    let pieces = pieces(text).into_iter();
    let meant: Vec<&str> = pieces
        .filter(|piece| !piece.excluded)
        .map(|piece| piece.text)
        .collect();
    Ok(meant.join(" "))
}

/// The last word, when it may still be typed on.
fn prefix(text: &str, units: &[Unit]) -> Option<String> {
    let open = text.chars().next_back().is_some_and(char::is_alphanumeric);
    let last = units.last().filter(|unit| open && !unit.quoted)?;
    let [word] = last.words.as_slice() else {
        return None;
    };
    (!word.single && word.literal.len() >= 2).then(|| word.literal.clone())
}

/// A word or phrase as it was typed.
struct Piece<'a> {
    text: &'a str,
    quoted: bool,
    excluded: bool,
}

/// Cuts at white space and quotes; a quote that nobody closes runs to the end.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let after_minus = rest.strip_prefix('-').filter(|after| {
            after
                .chars()
                .next()
                .is_some_and(|c| !c.is_whitespace() && c != '-')
        });
        let excluded = after_minus.is_some();
        let body = after_minus.unwrap_or(rest);
        let opened = body.strip_prefix(is_quote);
        let (text, tail) = match opened {
            Some(inner) => split(inner, is_quote),
            None => match body.find(|c: char| c.is_whitespace() || is_quote(c)) {
                Some(end) => body.split_at(end),
                None => (body, ""),
            },
        };
        pieces.push(Piece {
            text,
            quoted: opened.is_some(),
            excluded,
        });
        rest = tail.trim_start();
    }
    pieces
}

/// What stands before the first character of a kind, and what after it.
fn split(text: &str, at: impl Fn(char) -> bool) -> (&str, &str) {
    match text.char_indices().find(|&(_, c)| at(c)) {
        Some((end, c)) => (&text[..end], &text[end + c.len_utf8()..]),
        None => (text, ""),
    }
}

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

fn units_of(piece: &Piece<'_>) -> Vec<Unit> {
    let words = words(piece.text, PHRASE_WORDS_MAX);
    let run = !piece.quoted && words.iter().any(|word| word.single);
    if words.is_empty() {
        Vec::new()
    } else if run && words.len() > RUN_MAX {
        words
            .windows(2)
            .map(|pair| Unit {
                words: pair.to_vec(),
                quoted: false,
            })
            .collect()
    } else {
        vec![Unit {
            words,
            quoted: piece.quoted,
        }]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(units: &[Unit]) -> Vec<String> {
        let shown = |unit: &Unit| {
            let words: Vec<_> = unit
                .words
                .iter()
                .map(|word| word.literal.as_str())
                .collect();
            if unit.quoted {
                format!("\"{}\"", words.join(" "))
            } else {
                words.join("+")
            }
        };
        units.iter().map(shown).collect()
    }

    fn check(text: &str, units: &[&str], excluded: &[&str]) {
        let query = Query::parse(text).unwrap();
        assert_eq!(shown(&query.units), units, "{text}");
        assert_eq!(shown(&query.excluded), excluded, "{text}");
    }

    #[test]
    fn words_phrases_and_exclusions_are_told_apart() {
        check("bread  Salt", &["bread", "salt"], &[]);
        check("\"sour dough\" -yeast", &["\"sour dough\""], &["yeast"]);
        check("a -\"b c\"", &["a"], &["\"b c\""]);
        check("“smart quotes” x", &["\"smart quotes\"", "x"], &[]);
        check("foo\"bar baz", &["foo", "\"bar baz\""], &[]);
        check("same same", &["same"], &[]);
    }

    #[test]
    fn odd_input_is_taken_as_words() {
        check("--help", &["help"], &[]);
        check("- a", &["a"], &[]);
        check("well-known snake_case", &["well+known", "snake+case"], &[]);
        check("tag:x (a OR b) *", &["tag+x", "a", "or", "b"], &[]);
        check("c++", &["c"], &[]);
        check("\"\" a", &["a"], &[]);
    }

    #[test]
    fn what_is_excluded_is_not_meant() {
        let meant = meaning("how to \"feed a\" starter -rye -\"x y\"").unwrap();
        assert_eq!(meant, "how to feed a starter");
        assert!(meaning("-rye").is_err());
    }

    #[test]
    fn runs_without_spaces_become_sequences_or_pairs() {
        check("東京", &["東+京"], &[]);
        check("東京都民", &["東+京", "京+都", "都+民"], &[]);
        check("\"東京都民\"", &["\"東 京 都 民\""], &[]);
    }

    #[test]
    fn a_query_without_words_is_refused_with_the_cure() {
        for (text, part) in [
            ("", "no word"),
            (" \"\" - !", "no word"),
            ("-a", "only excludes"),
        ] {
            let error = Query::parse(text).unwrap_err();
            assert!(matches!(error, Error::InvalidQuery { message } if message.contains(part)));
        }
    }

    #[test]
    fn only_an_open_last_word_is_a_prefix() {
        for (text, expected) in [
            ("a confi", Some("confi")),
            ("confi ", None),
            ("\"confi", None),
            ("foo-confi", None),
            ("c", None),
        ] {
            assert_eq!(
                Query::parse(text).unwrap().prefix.as_deref(),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_input_is_read_or_refused(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                prop_assert!(!query.units.is_empty() && query.units.len() <= UNITS_MAX);
                prop_assert!(query.excluded.len() <= UNITS_MAX);
                prop_assert!(query.units.iter().all(|unit| !unit.words.is_empty()));
            }
        }

        #[test]
        fn a_word_is_never_refused(before in "[ \"*:(]{0,4}", word in "[a-z]{1,9}") {
            let text = format!("{before} x{word}");
            prop_assert!(Query::parse(&text).is_ok());
        }
    }
}
