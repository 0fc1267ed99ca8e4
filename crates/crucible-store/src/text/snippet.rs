//! The piece of a block that is shown: the stretch with most of the query, on one line.
//!
//! Words are compared as the index compares them, so what is highlighted is what was found.

use std::ops::Range;

use crucible_services::data_store::Snippet;

use super::analysis::Words;
use super::query::Unit;
use super::stem::Stems;

/// The longest snippet, in characters, marks of omission not counted.
pub(super) const SNIPPET_CHARS_MAX: usize = 200;
/// How much of it stands before the first match when both ends are cut.
const LEAD_CHARS: usize = 40;
/// How far a cut moves to fall between words.
const WORD_CHARS_MAX: usize = 24;
/// Matches of one block that are looked at.
const MATCHES_MAX: usize = 256;

/// Makes snippets for one query after another; remembers stems between them.
pub(super) struct Highlighter {
    stems: Stems,
    /// Per part of the query, its stems and, when it is quoted, its words as written.
    parts: Vec<Part>,
    prefix: Option<String>,
    /// What a word must begin with to have one of the stems of the query.
    begins: Vec<String>,
    /// The first bytes of those.
    first_bytes: [bool; 256],
    word: String,
}

struct Part {
    stems: Vec<String>,
    literals: Option<Vec<String>>,
}

/// A part of the query found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Match {
    span: Range<usize>,
    part: usize,
}

/// A part of the query of which the first words have been seen.
struct Open {
    part: usize,
    seen: usize,
    start: usize,
}

impl Highlighter {
    pub(super) fn new() -> Self {
        Self {
            stems: Stems::new(),
            parts: Vec::new(),
            prefix: None,
            begins: Vec::new(),
            first_bytes: [false; 256],
            word: String::new(),
        }
    }

    /// Takes on a query; `prefix` stands for every word that begins with it.
    pub(super) fn prepare(&mut self, units: &[Unit], prefix: Option<&str>) {
        let part = |unit: &Unit| Part {
            stems: unit.words.iter().map(|word| word.stem.clone()).collect(),
            literals: unit
                .quoted
                .then(|| unit.words.iter().map(|word| word.literal.clone()).collect()),
        };
        self.parts = units.iter().map(part).collect();
        self.prefix = prefix.map(str::to_owned);
        let stems = self.parts.iter().flat_map(|part| &part.stems);
        self.begins = stems.map(|stem| beginning(stem)).collect();
        self.begins.extend(self.prefix.clone());
        self.begins.sort_unstable();
        self.begins.dedup();
        self.first_bytes = [false; 256];
        for byte in self
            .begins
            .iter()
            .filter_map(|begin| begin.as_bytes().first())
        {
            self.first_bytes[usize::from(*byte)] = true;
        }
    }

    /// Cuts the snippet out of `text`.
    pub(super) fn snippet(&mut self, text: &str) -> Snippet {
        let matches = self.matches(text);
        let window = widen(text, best_window(text, &matches));
        one_line(text, window, &merged(&matches))
    }

    fn matches(&mut self, text: &str) -> Vec<Match> {
        let Self {
            stems,
            parts,
            prefix,
            begins,
            first_bytes,
            word,
        } = self;
        let mut found = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        let mut words = Words::new(text);
        while found.len() < MATCHES_MAX
            && let Some((span, has_passed)) = words.next_of(first_bytes, word)
        {
            let begins = begins.iter().any(|begin| word.starts_with(begin.as_str()));
            if has_passed || !begins {
                open.clear();
            }
            if !begins {
                continue;
            }
            let typed = prefix
                .as_ref()
                .is_some_and(|prefix| word.starts_with(prefix.as_str()));
            let starts = (0..parts.len()).map(|part| Open {
                part,
                seen: 0,
                start: span.start,
            });
            open.extend(starts);
            let literal = parts
                .iter()
                .any(|part| part.literals.is_some())
                .then(|| word.clone());
            stems.stem(word);
            let before = found.len();
            open.retain_mut(|open| {
                let part = &parts[open.part];
                let same = match (&part.literals, &literal) {
                    (Some(literals), Some(literal)) => literals[open.seen] == *literal,
                    _ => part.stems[open.seen] == *word,
                };
                open.seen += usize::from(same);
                if same && open.seen == part.stems.len() {
                    found.push(Match {
                        span: open.start..span.end,
                        part: open.part,
                    });
                }
                same && open.seen < part.stems.len()
            });
            if typed && found.len() == before {
                found.push(Match {
                    span,
                    part: parts.len().saturating_sub(1),
                });
            }
        }
        found
    }
}

/// What every word with this stem begins with: English stems change at most the last two letters
/// of what they keep (`happy` as `happi`, `dying` as `die`).
fn beginning(stem: &str) -> String {
    let end = stem.len().saturating_sub(2).max(1);
    stem[..stem.ceil_char_boundary(end)].to_owned()
}

/// The stretch, from one match to another, that has most parts of the query, then most matches,
/// then is first. Empty at the start of the text when there is no match.
fn best_window(text: &str, matches: &[Match]) -> Range<usize> {
    let mut best = 0..0;
    let mut best_value = (0, 0);
    for (place, first) in matches.iter().enumerate() {
        let start = first.span.start;
        let limit = after_chars(text, start, SNIPPET_CHARS_MAX - LEAD_CHARS);
        let mut parts = 0_u64;
        let mut count = 0;
        let mut end = first.span.end.min(limit);
        for found in &matches[place..] {
            if found.span.end <= limit && found.span.start >= start {
                parts |= 1 << (found.part % 64);
                count += 1;
                end = end.max(found.span.end);
            }
        }
        let value = (parts.count_ones(), count);
        if value > best_value {
            best_value = value;
            best = start..end;
        }
        if matches.len() > 32 && place > 64 {
            break;
        }
    }
    best
}

/// Grows a stretch to the length of a snippet, cut between words where that is near.
fn widen(text: &str, window: Range<usize>) -> Range<usize> {
    let used = text[window.clone()].chars().count();
    let spare = SNIPPET_CHARS_MAX.saturating_sub(used);
    let after = text[window.end..after_chars(text, window.end, spare)]
        .chars()
        .count();
    let lead = spare.saturating_sub(after).max(LEAD_CHARS.min(spare));
    let start = before_chars(text, window.start, lead);
    let used = text[start..window.end].chars().count();
    let end = after_chars(text, window.end, SNIPPET_CHARS_MAX.saturating_sub(used));
    let start = if start == 0 {
        0
    } else {
        word_start(text, start, window.start)
    };
    let end = if end == text.len() {
        end
    } else {
        word_end(text, end, window.end.max(start))
    };
    start..end
}

fn after_chars(text: &str, from: usize, count: usize) -> usize {
    let rest = &text[from..];
    if rest.len() <= count {
        return text.len();
    }
    if rest.as_bytes()[..=count].is_ascii() {
        return from + count;
    }
    rest.char_indices()
        .nth(count)
        .map_or(text.len(), |(at, _)| from + at)
}

fn before_chars(text: &str, from: usize, count: usize) -> usize {
    let Some(last) = count.checked_sub(1) else {
        return from;
    };
    if from >= count && text.as_bytes()[from - count..from].is_ascii() {
        return from - count;
    }
    text[..from]
        .char_indices()
        .nth_back(last)
        .map_or(0, |(at, _)| at)
}

/// The first place after white space from `at` on, when there is one near and before `limit`.
fn word_start(text: &str, at: usize, limit: usize) -> usize {
    let near = text[at..limit].char_indices().take(WORD_CHARS_MAX);
    let space = near
        .skip_while(|(_, c)| !c.is_whitespace())
        .find(|(_, c)| !c.is_whitespace());
    space.map_or(at, |(offset, _)| at + offset)
}

/// The last white space before `at`, when there is one near and not before `limit`.
fn word_end(text: &str, at: usize, limit: usize) -> usize {
    if text[at..].starts_with(char::is_whitespace) {
        return at;
    }
    let mut near = text[limit.min(at)..at]
        .char_indices()
        .rev()
        .take(WORD_CHARS_MAX);
    near.find(|(_, c)| c.is_whitespace())
        .map_or(at, |(offset, _)| limit.min(at) + offset)
}

/// The places of all matches, ascending, overlapping ones as one.
fn merged(matches: &[Match]) -> Vec<Range<usize>> {
    let mut spans: Vec<_> = matches.iter().map(|found| found.span.clone()).collect();
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// Copies a window onto one line and carries the highlights along.
fn one_line(text: &str, window: Range<usize>, spans: &[Range<usize>]) -> Snippet {
    let mut line = Line {
        out: String::with_capacity(window.len() + 8),
        gap: false,
    };
    let mut highlights = Vec::new();
    let (from, to) = (window.start, window.end);
    if from > 0 {
        line.out.push('…');
    }
    let mut at = from;
    for span in spans {
        let (start, end) = (span.start.max(at), span.end.min(to));
        if start >= end {
            continue;
        }
        line.push(&text[at..start]);
        let begins = line.begin();
        line.push(&text[start..end]);
        highlights.push((begins, line.out.len()));
        at = end;
    }
    line.push(&text[at..to]);
    if to < text.len() && !text[to..].trim().is_empty() {
        line.out.push('…');
    }
    highlights.retain(|(start, end)| start < end);
    Snippet {
        text: line.out,
        highlights,
    }
}

fn is_gap(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_whitespace() || c.is_ascii_control()
    } else {
        c.is_whitespace() || c.is_control()
    }
}

/// How much of the start of `text` can be copied as it is: ASCII words with one space between.
fn even(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_even = |(at, byte): (usize, &u8)| match byte {
        b' ' => at > 0 && bytes.get(at + 1).is_some_and(u8::is_ascii_graphic),
        byte => byte.is_ascii_graphic(),
    };
    let end = bytes.iter().enumerate().position(|place| !is_even(place));
    end.unwrap_or(bytes.len())
}

/// A line that grows; white space and control characters become one space between words.
struct Line {
    out: String,
    gap: bool,
}

impl Line {
    fn push(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut end = even(rest);
            if end > 0 {
                self.begin();
                self.out.push_str(&rest[..end]);
            } else if is_gap(c) {
                self.gap = true;
                end = c.len_utf8();
            } else {
                self.begin();
                self.out.push(c);
                end = c.len_utf8();
            }
            rest = &rest[end..];
        }
    }

    /// Writes the space that is due and returns where the next character will stand.
    fn begin(&mut self) -> usize {
        if std::mem::take(&mut self.gap) && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.out.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::query::Query;
    use super::*;

    fn snippet(query: &str, text: &str) -> Snippet {
        let query = Query::parse(query).unwrap();
        let mut highlighter = Highlighter::new();
        highlighter.prepare(&query.units, query.prefix.as_deref());
        highlighter.snippet(text)
    }

    /// The snippet with its highlights in brackets.
    fn marked(query: &str, text: &str) -> String {
        let snippet = snippet(query, text);
        let mut out = snippet.text.clone();
        for &(start, end) in snippet.highlights.iter().rev() {
            out.insert(end, ']');
            out.insert(start, '[');
        }
        out
    }

    #[test]
    fn stems_case_and_accents_are_highlighted_as_they_are_found() {
        for (query, text, expected) in [
            ("running ", "He RUNS and run.", "He [RUNS] and [run]."),
            ("cafe ", "Two Cafe\u{301}s", "Two [Cafe\u{301}s]"),
            (
                "\"sour dough\"",
                "sour  dough, sour doughs",
                "[sour dough], sour doughs",
            ),
            (
                "snake_case ",
                "my snake_case, snake",
                "my [snake_case], snake",
            ),
            ("東京", "大東京都", "大[東京]都"),
            ("🥖 ", "a 🥖!", "a [🥖]!"),
            ("confi", "a configuration", "a [configuration]"),
            ("absent ", " plain\n\ttext ", "plain text"),
            ("x ", "", ""),
        ] {
            assert_eq!(marked(query, text), expected, "{query}");
        }
    }

    #[test]
    fn the_window_with_most_of_the_query_is_shown() {
        let filler = "lorem ipsum dolor sit amet ".repeat(20);
        let text = format!("salt {filler} salt and bread {filler} bread");
        let shown = marked("salt bread ", &text);
        assert!(shown.contains("[salt] and [bread]"), "{shown}");
        assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert!(shown.chars().count() <= SNIPPET_CHARS_MAX + 6);
    }

    #[test]
    fn a_text_without_spaces_is_cut_between_characters() {
        let text = format!("{}東京{}", "あ".repeat(500), "い".repeat(500));
        let shown = snippet("東京", &text);
        assert_eq!(shown.highlights.len(), 1);
        assert!(shown.text.chars().count() <= SNIPPET_CHARS_MAX + 2);
    }

    fn check(snippet: &Snippet) -> Result<(), TestCaseError> {
        prop_assert!(!snippet.text.chars().any(|c| c.is_control()));
        prop_assert!(snippet.text.chars().count() <= SNIPPET_CHARS_MAX + 2);
        let mut last = 0;
        for &(start, end) in &snippet.highlights {
            prop_assert!(last <= start && start < end);
            prop_assert!(snippet.text.get(start..end).is_some());
            last = end;
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_line_has_one_space_where_the_text_has_a_gap(text in "[a-z. \n\t\u{0}\u{a0}é東]{0,60}") {
            let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
            let line = one_line(&text, 0..text.len(), &[]);
            prop_assert_eq!(line.text, words.join(" "));
        }

        #[test]
        fn any_text_gives_a_valid_line(text in any::<String>(), query in "[a-z]{1,3} [^ ]{1,3}") {
            if let Ok(query) = Query::parse(&query) {
                let mut highlighter = Highlighter::new();
                highlighter.prepare(&query.units, query.prefix.as_deref());
                check(&highlighter.snippet(&text))?;
            }
        }

        #[test]
        fn words_of_the_text_are_highlighted(
            words in proptest::collection::vec("[abé東🥖]{1,4}[ \n\t.,]{1,3}", 1..150),
            pick in any::<prop::sample::Index>(),
        ) {
            let text = words.concat();
            let query = pick.get(&words).trim_end_matches(['.', ',', ' ', '\n', '\t']);
            let shown = snippet(&format!("{query} "), &text);
            check(&shown)?;
            prop_assert!(!shown.highlights.is_empty(), "{query:?} in {text:?}");
        }
    }
}
