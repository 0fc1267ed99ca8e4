//! Finds a piece that must occur exactly once, and says where it nearly does.

use std::ops::Range;

use memchr::memmem;

use super::Refusal;
use crate::lines::Lines;

/// How many places a refusal names.
const PLACES_MAX: usize = 10;
/// How many places are counted.
const COUNTED_MAX: usize = 1000;

/// Returns where `old` stands in `text`.
pub(super) fn find(text: &str, old: &str) -> Result<Range<usize>, Refusal> {
    if old.is_empty() {
        return Err(Refusal::new(
            "`old` is empty; give the piece of text to replace, as it stands in the note",
        ));
    }
    let exact = places(text, old);
    let (found, length) = if exact.is_empty() && old.contains('\n') && !old.contains('\r') {
        let crossed = old.replace('\n', "\r\n");
        (places(text, &crossed), crossed.len())
    } else {
        (exact, old.len())
    };
    match found.as_slice() {
        [] => Err(missing(text, old)),
        [start] => Ok(*start..start + length),
        several => Err(ambiguous(text, several)),
    }
}

/// Returns the starts of all occurrences, overlapping ones too.
fn places(text: &str, piece: &str) -> Vec<usize> {
    let finder = memmem::Finder::new(piece);
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = finder.find(&text.as_bytes()[from..]) {
        found.push(from + at);
        if found.len() == COUNTED_MAX {
            break;
        }
        // The next character, so that the rest begins on a boundary.
        from = text.ceil_char_boundary(from + at + 1);
    }
    found
}

fn ambiguous(text: &str, places: &[usize]) -> Refusal {
    let mut lines = Lines::new(text);
    let shown: Vec<String> = places
        .iter()
        .take(PLACES_MAX)
        .map(|at| lines.at(*at).to_string())
        .collect();
    let more = if places.len() > PLACES_MAX {
        ", .."
    } else {
        ""
    };
    let count = if places.len() == COUNTED_MAX {
        format!("{COUNTED_MAX} times or more")
    } else {
        format!("{} times", places.len())
    };
    Refusal::new(format!(
        "`old` occurs {count}, on lines {}{more}; make it longer, so that it occurs once",
        shown.join(", ")
    ))
}

fn missing(text: &str, old: &str) -> Refusal {
    let near = near(text, old);
    let cure = if near.is_empty() {
        "read the note again and give the piece exactly as it stands there".to_owned()
    } else {
        let lines: Vec<String> = near.iter().map(ToString::to_string).collect();
        format!(
            "text that differs only in white space or letter case stands on line {}: give it \
             exactly as it stands there",
            lines.join(", ")
        )
    };
    Refusal::new(format!("`old` does not occur in the note; {cure}"))
}

/// Returns the lines that hold the first line of `old` but for white space and case.
fn near(text: &str, old: &str) -> Vec<u64> {
    let wanted = squeezed(old.trim().lines().next().unwrap_or_default());
    if wanted.is_empty() {
        return Vec::new();
    }
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| squeezed(line).contains(&wanted))
        .map(|(number, _)| number)
        .take(PLACES_MAX)
        .collect()
}

fn squeezed(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str, old: &str) -> String {
        find(text, old).unwrap_err().reason
    }

    #[test]
    fn a_piece_that_occurs_once_is_found() {
        assert_eq!(find("a bé c", "bé"), Ok(2..5));
    }

    #[test]
    fn several_places_are_counted_and_named() {
        let reason = refusal("x\nab\nab ab\n", "ab");
        assert!(reason.contains("3 times, on lines 2, 3, 3"), "{reason}");
        assert!(refusal("aaa", "aa").contains("2 times"));
        assert!(refusal("ééé", "é").contains("3 times"));
    }

    #[test]
    fn a_near_miss_names_its_line() {
        let reason = refusal("a\nThe  Quick\tfox\n", "the quick fox");
        assert!(reason.contains("line 2"), "{reason}");
        assert!(refusal("a", "b").contains("read the note again"));
        assert!(refusal("a", "").contains("empty"));
    }
}
