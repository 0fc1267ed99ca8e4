//! Finding the part of a note that a heading names.

use std::ops::Range;

use crucible_services::data_store::Heading;

use crate::budget::shorten;
use crate::fault::{Fault, FaultKind, bullets};

/// How many headings a message lists.
const LISTED_MAX: usize = 20;
/// How many characters of a heading a message shows.
const HEADING_CHARS_MAX: usize = 120;

/// Returns where the lines of `text` begin, in bytes; at least one.
pub(super) fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let after = breaks
        .map(|(at, _)| at + 1)
        .filter(|start| *start < text.len());
    std::iter::once(0).chain(after).collect()
}

/// Returns the bytes from the heading that `wanted` names to the next one that is not below it.
///
/// `wanted` is the heading's text, letter case aside, or a path such as `Parent > Child`.
///
/// # Errors
/// When no heading or more than one has this name; the message lists what there is.
pub(super) fn find(
    wanted: &str,
    headings: &[Heading],
    starts: &[usize],
    text_len: usize,
) -> Result<Range<usize>, Fault> {
    let matches = matching(wanted, headings);
    let [only] = matches[..] else {
        return Err(if matches.is_empty() {
            missing(wanted, headings)
        } else {
            ambiguous(wanted, headings, &matches)
        });
    };
    let start_of = |heading: &Heading| {
        let index = usize::try_from(heading.line.saturating_sub(1)).unwrap_or(usize::MAX);
        starts.get(index).copied().unwrap_or(text_len)
    };
    let level = headings[only].level;
    let next = headings[only + 1..]
        .iter()
        .find(|heading| heading.level <= level);
    let start = start_of(&headings[only]);
    Ok(start..next.map_or(text_len, start_of).max(start))
}

/// Returns the indexes of the headings that `wanted` names.
fn matching(wanted: &str, headings: &[Heading]) -> Vec<usize> {
    let wanted = wanted.trim().trim_start_matches('#').trim();
    let literal = with_text(wanted, headings);
    if !literal.is_empty() {
        return literal;
    }
    let mut parts: Vec<&str> = wanted.split(['>', '#']).map(str::trim).collect();
    parts.retain(|part| !part.is_empty());
    let Some((last, above)) = parts.split_last() else {
        return Vec::new();
    };
    let mut found = with_text(last, headings);
    found.retain(|index| lies_below(&path(*index, headings), above));
    found
}

fn with_text(wanted: &str, headings: &[Heading]) -> Vec<usize> {
    let wanted = wanted.to_lowercase();
    let same = |heading: &Heading| heading.text.trim().to_lowercase() == wanted;
    (0..headings.len())
        .filter(|index| same(&headings[*index]))
        .collect()
}

/// Says whether `above` occurs among the headings over the last one of `path`, in this order.
fn lies_below(path: &[&str], above: &[&str]) -> bool {
    let mut over = path[..path.len() - 1].iter();
    above
        .iter()
        .all(|wanted| over.any(|heading| heading.trim().to_lowercase() == wanted.to_lowercase()))
}

/// Returns the texts of the heading and those above it, outermost first.
fn path(index: usize, headings: &[Heading]) -> Vec<&str> {
    let mut path = vec![headings[index].text.as_str()];
    let mut level = headings[index].level;
    for heading in headings[..index].iter().rev() {
        if heading.level < level {
            level = heading.level;
            path.push(&heading.text);
        }
    }
    path.reverse();
    path
}

fn missing(wanted: &str, headings: &[Heading]) -> Fault {
    let wanted = shorten(wanted, HEADING_CHARS_MAX);
    let message = if headings.is_empty() {
        format!("The note has no headings, so no section {wanted:?}. Call again without section.")
    } else {
        let all: Vec<usize> = (0..headings.len().min(LISTED_MAX)).collect();
        let rest = headings.len() - all.len();
        let more = if rest > 0 {
            format!("\n({rest} more)")
        } else {
            String::new()
        };
        format!(
            "The note has no section {wanted:?}. Its headings are:{}{more}\nCall again with one of \
             these as section, or without.",
            listed(&all, headings)
        )
    };
    Fault::new(FaultKind::NotFound, message)
}

fn ambiguous(wanted: &str, headings: &[Heading], matches: &[usize]) -> Fault {
    let shown = &matches[..matches.len().min(LISTED_MAX)];
    Fault::new(
        FaultKind::Ambiguous,
        format!(
            "Several sections are called {:?}:{}\nCall again with the path of headings as section, \
             or with line instead of section.",
            shorten(wanted, HEADING_CHARS_MAX),
            listed(shown, headings)
        ),
    )
}

fn listed(indexes: &[usize], headings: &[Heading]) -> String {
    let line = |index: &usize| {
        let path = path(*index, headings).join(" > ");
        format!(
            "{} (line {})",
            shorten(&path, HEADING_CHARS_MAX),
            headings[*index].line
        )
    };
    let lines: Vec<String> = indexes.iter().map(line).collect();
    lines.chunks(10).map(bullets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Plan\nintro\n## Goals\na\n### Notes\nb\n## Risks\nc\n### Notes\nd\n# Log > 2026\ne";

    fn headings() -> Vec<Heading> {
        TEXT.lines()
            .zip(1..)
            .filter(|(line, _)| line.starts_with('#'))
            .map(|(line, number)| Heading {
                level: u8::try_from(line.find(' ').unwrap()).unwrap(),
                text: line.trim_start_matches('#').trim().to_owned(),
                line: number,
            })
            .collect()
    }

    fn check(wanted: &str, expected: Result<&str, FaultKind>) {
        let found = find(wanted, &headings(), &line_starts(TEXT), TEXT.len());
        assert_eq!(
            found.map(|range| &TEXT[range]).map_err(|fault| fault.kind),
            expected,
            "{wanted}"
        );
    }

    #[test]
    fn section_ends_where_the_next_of_its_level_begins() {
        check("goals", Ok("## Goals\na\n### Notes\nb\n"));
        check("## Goals", Ok("## Goals\na\n### Notes\nb\n"));
        check("Log > 2026", Ok("# Log > 2026\ne"));
    }

    #[test]
    fn path_of_headings_tells_twins_apart() {
        check("Notes", Err(FaultKind::Ambiguous));
        check("Risks > Notes", Ok("### Notes\nd\n"));
        check("Plan#Goals#Notes", Ok("### Notes\nb\n"));
        check("Goals > Risks", Err(FaultKind::NotFound));
        check(">", Err(FaultKind::NotFound));
        check("", Err(FaultKind::NotFound));
    }

    #[test]
    fn unknown_section_lists_the_headings() {
        let fault = find("Goal", &headings(), &line_starts(TEXT), TEXT.len()).unwrap_err();
        assert!(
            fault.message.contains("- Plan > Risks > Notes (line 9)"),
            "{}",
            fault.message
        );
    }

    #[test]
    fn outline_that_does_not_fit_the_text_does_no_harm() {
        let headings = [(0, "Zero"), (99, "Far"), (u64::MAX, "Max")].map(|(line, text)| Heading {
            level: 1,
            text: text.to_owned(),
            line,
        });
        for heading in &headings {
            let range = find(&heading.text, &headings, &line_starts(TEXT), TEXT.len()).unwrap();
            assert!(TEXT.get(range).is_some(), "{}", heading.text);
        }
    }
}
