//! Inline fields: `key:: value` as a line, `[key:: value]` and `(key:: value)` within one.

use std::ops::Range;

use memchr::memmem;

use crate::mask::FILLER;
use crate::spans::{clip, floor, line_end};

/// Longest key, in bytes.
const KEY_MAX_BYTES: usize = 128;

/// Finds the fields of a paragraph or cell. Nothing within `opaque` (ascending) is a mark.
///
/// A line of its own is a field only where `whole_lines` says so, and only if the line has none
/// in brackets.
pub(super) fn scan(
    text: &str,
    region: Range<usize>,
    mut opaque: &[Range<usize>],
    whole_lines: bool,
    mut found: impl FnMut(String, String, usize),
) {
    let mut at = region.start;
    while let Some(mark) = memmem::find(&text.as_bytes()[at..region.end], b"::") {
        let start = line_start(text, &region, at + mark);
        let line = start..line_end(text, at + mark).min(region.end);
        at = (line.end + 1).min(region.end);
        while let [first, rest @ ..] = opaque
            && first.end <= line.start
        {
            opaque = rest;
        }
        let marks = marks(text, line.clone(), opaque);
        let mut bracketed = false;
        let mut after = line.start;
        let mut pairs = None;
        for mark in marks.clone() {
            if mark < after {
                continue;
            }
            let pairs = pairs.get_or_insert_with(|| pairs_in(text, line.clone()));
            if let Some((key, value, end)) = in_brackets(text, &line, mark, pairs) {
                found(key, value, mark);
                bracketed = true;
                after = end;
            }
        }
        if whole_lines && !bracketed {
            let field = marks
                .clone()
                .next()
                .and_then(|mark| whole_line(text, &line, mark, opaque));
            if let Some((key, value)) = field {
                found(key, value, line.start);
            }
        }
    }
}

/// Where the line of `at` begins, quote marks and indents left out.
fn line_start(text: &str, region: &Range<usize>, at: usize) -> usize {
    let before = &text[region.start..at];
    let Some(feed) = memchr::memrchr(b'\n', before.as_bytes()) else {
        return region.start;
    };
    let line = &before[feed + 1..];
    at - line.trim_start_matches([' ', '\t', '>']).len()
}

/// Places of `::` with space or nothing after, outside of `opaque`.
fn marks<'a>(
    text: &'a str,
    line: Range<usize>,
    mut opaque: &'a [Range<usize>],
) -> impl Iterator<Item = usize> + Clone + 'a {
    let marks =
        memmem::find_iter(&text.as_bytes()[line.clone()], b"::").map(move |at| line.start + at);
    marks.filter(move |mark| {
        while let [first, rest @ ..] = opaque
            && first.end <= *mark
        {
            opaque = rest;
        }
        let hidden = opaque.first().is_some_and(|range| range.start <= *mark);
        let after = text.as_bytes().get(mark + 2);
        !hidden && after.is_none_or(|byte| byte.is_ascii_whitespace())
    })
}

/// Where each bracket that is closed opens and closes, in the order of opening.
fn pairs_in(text: &str, line: Range<usize>) -> Vec<(usize, usize)> {
    let mut square = Vec::new();
    let mut round = Vec::new();
    let mut pairs = Vec::new();
    for (at, byte) in line.clone().zip(text[line].bytes()) {
        let opened = match byte {
            b'[' => {
                square.push(at);
                continue;
            }
            b'(' => {
                round.push(at);
                continue;
            }
            b']' => square.pop(),
            b')' => round.pop(),
            _ => continue,
        };
        pairs.extend(opened.map(|opened| (opened, at)));
    }
    pairs.sort_unstable();
    pairs
}

/// `[key:: value]` around the mark, and where it ends.
fn in_brackets(
    text: &str,
    line: &Range<usize>,
    mark: usize,
    pairs: &[(usize, usize)],
) -> Option<(String, String, usize)> {
    let window = floor(text, mark.saturating_sub(KEY_MAX_BYTES)).max(line.start);
    let open = window + text[window..mark].rfind(['[', '('])?;
    let key = key(&text[open + 1..mark])?;
    let pair = pairs.binary_search_by_key(&open, |pair| pair.0).ok()?;
    let close = pairs[pair].1;
    (close > mark).then(|| {
        (
            key,
            value(text.get(mark + 2..close).unwrap_or_default()),
            close + 1,
        )
    })
}

/// `key:: value` from the start of the line to its end.
fn whole_line(
    text: &str,
    line: &Range<usize>,
    mark: usize,
    opaque: &[Range<usize>],
) -> Option<(String, String)> {
    let hidden = opaque.first().is_some_and(|range| range.start < mark);
    if hidden || mark - line.start > KEY_MAX_BYTES {
        return None;
    }
    let key = key(&text[line.start..mark])?;
    Some((key, value(&text[mark + 2..line.end])))
}

/// The key, emphasis around it left out; `None` if it could not be one.
fn key(text: &str) -> Option<String> {
    let key = text.trim().trim_matches(['*', '_', '~']).trim();
    let good = key.starts_with(|c: char| c.is_alphanumeric() || !c.is_ascii())
        && key.chars().all(|c| {
            c.is_alphanumeric()
                || matches!(c, ' ' | '_' | '-' | '/')
                || (!c.is_ascii() && !c.is_control())
        });
    good.then(|| key.to_owned())
}

fn value(text: &str) -> String {
    let value = clip(text.trim());
    match value.contains(char::from(FILLER)) {
        true => value.replace(char::from(FILLER), "").trim().to_owned(),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let mut fields = Vec::new();
        scan(text, 0..text.len(), &[], true, |key, value, _| {
            fields.push((key, value))
        });
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(fields, expected, "{text:?}");
    }

    #[test]
    fn lines_and_brackets_hold_fields() {
        check("key:: value", &[("key", "value")]);
        check(
            "a:: 1\nb:: 2\r\n> c:: 3",
            &[("a", "1"), ("b", "2"), ("c", "3")],
        );
        check("**Bold key**:: [[Link]]", &[("Bold key", "[[Link]]")]);
        check("empty::", &[("empty", "")]);
        check(
            "Rated [score:: 9] and (by:: me (too))",
            &[("score", "9"), ("by", "me (too)")],
        );
        check("[link:: [[A|b]] c] d", &[("link", "[[A|b]] c")]);
        check("été:: oui", &[("été", "oui")]);
    }

    #[test]
    fn paths_of_code_and_open_brackets_are_no_fields() {
        for text in [
            "std::vec", "a, b:: c", ":: a", "[a:: b", "# x:: y", "a::b:: c",
        ] {
            check(text, &[]);
        }
    }
}
