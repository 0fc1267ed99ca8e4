//! Finds a section by its heading, adds to it and replaces it.
//!
//! A heading is what [`parse`](crate::parse()) takes for one: `#` in code, quotes and lists
//! divides nothing. A section reaches to the next heading of its level or a higher one.

use std::ops::Range;

use super::{LineEnd, Refusal, splice};
use crate::facts::Heading;
use crate::names::fold;
use crate::parse;
use crate::spans::line_end;

/// How many headings a refusal names.
const HEADINGS_MAX: usize = 10;

/// Adds `added` at the end of the section below `heading`, before blank lines that end it.
///
/// `heading` is a heading's text, or the texts of nested headings joined by `/`.
///
/// # Errors
/// When no heading or more than one has the name; with near headings.
pub fn append_to_section(text: &str, heading: &str, added: &str) -> Result<String, Refusal> {
    let section = find(text, heading)?;
    if added.is_empty() {
        return Ok(text.to_owned());
    }
    let at = section.filled.end;
    Ok(put(text, at..at, added))
}

/// Replaces what stands below `heading`; the heading, and blank lines around the body, stay.
///
/// # Errors
/// As [`append_to_section`]; and when `new` begins with the heading itself.
pub fn replace_section(text: &str, heading: &str, new: &str) -> Result<String, Refusal> {
    let section = find(text, heading)?;
    if parse(new)
        .headings
        .first()
        .is_some_and(|first| first.line == 1 && fold(&first.text) == fold(&section.name))
    {
        return Err(Refusal::new(format!(
            "the new text begins with the heading {:?}, which stays in the note; leave it out",
            section.name
        )));
    }
    if new.is_empty() {
        return Ok(splice(text, section.filled, ""));
    }
    Ok(put(text, section.filled, new))
}

/// Puts whole lines in the place of `range`, apart from what stands around it.
fn put(text: &str, range: Range<usize>, new: &str) -> String {
    let end = LineEnd::of(text);
    let mut piece = String::with_capacity(new.len() + 4);
    if range.start > 0 && !text[..range.start].ends_with('\n') {
        piece.push_str(end.text());
    }
    piece.push_str(&end.apply(new));
    let after = &text[range.end..];
    let was_closed = !after.is_empty() || text.ends_with('\n');
    if was_closed && !piece.ends_with('\n') {
        piece.push_str(end.text());
    }
    // A heading underlined with `---` would swallow a line that stands right before it.
    if !after.is_empty() && !line(after, 0).trim().is_empty() {
        piece.push_str(end.text());
    }
    splice(text, range, &piece)
}

/// A section of a note.
struct Section {
    name: String,
    /// From its first line that is not blank to the end of its last; empty, after the heading,
    /// when there is none.
    filled: Range<usize>,
}

fn find(text: &str, wanted: &str) -> Result<Section, Refusal> {
    let headings = parse(text).headings;
    let at = choose(&headings, wanted)?;
    let heading = &headings[at];
    let start = after_line(text, heading.span.end);
    let end = headings[at + 1..]
        .iter()
        .find(|next| next.level <= heading.level)
        .map_or(text.len(), |next| line_start(text, next.span.start));
    Ok(Section {
        name: heading.text.clone(),
        filled: filled(text, start..end.max(start)),
    })
}

fn filled(text: &str, body: Range<usize>) -> Range<usize> {
    let mut first = None;
    let mut last = body.start;
    let mut at = body.start;
    while at < body.end {
        let next = after_line(text, at).min(body.end);
        if !text[at..next].trim().is_empty() {
            first.get_or_insert(at);
            last = next;
        }
        at = next;
    }
    first.unwrap_or(body.start)..last
}

/// Returns the index of the one heading that `wanted` names.
fn choose(headings: &[Heading], wanted: &str) -> Result<usize, Refusal> {
    let whole = key(wanted.trim_start_matches('#'));
    let mut found: Vec<usize> = indices(headings, |at| key(&headings[at].text) == whole);
    if found.is_empty() {
        let path: Vec<String> = wanted
            .split('/')
            .map(|part| key(part.trim().trim_start_matches('#')))
            .collect();
        found = indices(headings, |at| is_at_path(headings, at, &path));
    }
    match found.as_slice() {
        [at] => Ok(*at),
        [] => Err(missing(headings, wanted)),
        several => {
            let shown: Vec<String> = several
                .iter()
                .take(HEADINGS_MAX)
                .map(|at| format!("{:?} (line {})", path_of(headings, *at), headings[*at].line))
                .collect();
            Err(Refusal::new(format!(
                "{} headings are called {wanted:?}: {}; give the path of one, or use `replace`",
                several.len(),
                shown.join(", ")
            )))
        }
    }
}

fn indices(headings: &[Heading], is_meant: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..headings.len()).filter(|at| is_meant(*at)).collect()
}

fn key(heading: &str) -> String {
    let words: Vec<&str> = heading.split_whitespace().collect();
    fold(&words.join(" "))
}

/// Returns the indices of the headings above the one at `at`, innermost first.
fn above(headings: &[Heading], at: usize) -> impl Iterator<Item = usize> {
    let mut level = headings[at].level;
    (0..at).rev().filter(move |before| {
        let is_above = headings[*before].level < level;
        if is_above {
            level = headings[*before].level;
        }
        is_above
    })
}

/// Says whether the headings above have the names of `path`, in order, with gaps allowed.
fn is_at_path(headings: &[Heading], at: usize, path: &[String]) -> bool {
    let Some((last, before)) = path.split_last() else {
        return false;
    };
    if key(&headings[at].text) != *last {
        return false;
    }
    let mut wanted = before.iter().rev().peekable();
    for parent in above(headings, at) {
        if wanted
            .peek()
            .is_some_and(|name| key(&headings[parent].text) == **name)
        {
            wanted.next();
        }
    }
    wanted.peek().is_none()
}

fn path_of(headings: &[Heading], at: usize) -> String {
    let mut names: Vec<&str> = above(headings, at)
        .map(|parent| headings[parent].text.as_str())
        .collect();
    names.reverse();
    names.push(&headings[at].text);
    names.join("/")
}

fn missing(headings: &[Heading], wanted: &str) -> Refusal {
    if headings.is_empty() {
        return Refusal::new(format!(
            "there is no heading {wanted:?}: the note has no headings; use `append`"
        ));
    }
    let last = key(wanted.rsplit('/').next().unwrap_or(wanted));
    let is_near = |heading: &Heading| {
        let name = key(&heading.text);
        !last.is_empty()
            && (name.contains(&last) || last.contains(&name) || shares_word(&name, &last))
    };
    let mut near: Vec<usize> = indices(headings, |at| is_near(&headings[at]));
    let what = if near.is_empty() {
        "it has"
    } else {
        "near are"
    };
    if near.is_empty() {
        near = (0..headings.len()).collect();
    }
    let shown: Vec<String> = near
        .iter()
        .take(HEADINGS_MAX)
        .map(|at| format!("{:?}", path_of(headings, *at)))
        .collect();
    let more = if near.len() > HEADINGS_MAX {
        ", .."
    } else {
        ""
    };
    Refusal::new(format!(
        "there is no heading {wanted:?}; {what} {}{more}",
        shown.join(", ")
    ))
}

fn shares_word(a: &str, b: &str) -> bool {
    let is_long = |word: &&str| word.chars().count() > 3;
    a.split(' ')
        .filter(is_long)
        .any(|word| b.split(' ').any(|other| word == other))
}

fn line_start(text: &str, at: usize) -> usize {
    memchr::memrchr(b'\n', &text.as_bytes()[..at]).map_or(0, |feed| feed + 1)
}

fn line(text: &str, at: usize) -> &str {
    &text[at..line_end(text, at)]
}

/// Returns where the line after that of `at` begins.
fn after_line(text: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |feed| at + feed + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "# Work\n\n## Today\n\n- a\n\n## Later\n# Home\n## Today\n- b";

    #[test]
    fn a_section_is_named_by_text_or_path() {
        let added = append_to_section(NOTE, "Work/Today", "- c").unwrap();
        assert_eq!(added, NOTE.replace("- a\n", "- a\n- c\n"));
        let added = append_to_section(NOTE, "home/## today", "- c").unwrap();
        assert_eq!(added, format!("{NOTE}\n- c"));
        let added = append_to_section(NOTE, "Later", "x").unwrap();
        assert_eq!(added, NOTE.replace("Later\n", "Later\nx\n\n"));
    }

    #[test]
    fn subsections_belong_to_their_section() {
        let added = append_to_section(NOTE, "Work", "x").unwrap();
        assert_eq!(added, NOTE.replace("Later\n", "Later\nx\n\n"));
    }

    #[test]
    fn doubtful_headings_are_refused_with_a_cure() {
        let reason = append_to_section(NOTE, "Today", "x").unwrap_err().reason;
        assert!(reason.contains("\"Work/Today\" (line 3)"), "{reason}");
        let reason = append_to_section(NOTE, "Todays", "x").unwrap_err().reason;
        assert!(reason.contains("near are \"Work/Today\""), "{reason}");
        let reason = append_to_section(NOTE, "Zzz", "x").unwrap_err().reason;
        assert!(reason.contains("it has \"Work\""), "{reason}");
        assert!(
            append_to_section("a", "A", "x")
                .unwrap_err()
                .reason
                .contains("no headings")
        );
    }

    #[test]
    fn a_heading_in_code_is_none() {
        let note = "# A\n```\n# B\n```\n";
        assert!(append_to_section(note, "B", "x").is_err());
        assert_eq!(
            append_to_section(note, "A", "x").unwrap(),
            format!("{note}x\n")
        );
    }

    #[test]
    fn a_body_is_replaced_between_its_blank_lines() {
        let new = replace_section(NOTE, "Work/Today", "x\ny").unwrap();
        assert_eq!(new, NOTE.replace("- a", "x\ny"));
        let new = replace_section(NOTE, "Home/Today", "").unwrap();
        assert_eq!(new, NOTE.replace("- b", ""));
        let refused = replace_section(NOTE, "Later", "## Later\nx");
        assert!(refused.unwrap_err().reason.contains("leave it out"));
    }

    #[test]
    fn underlined_headings_end_where_their_line_does() {
        let note = "A\n===\n\nx\n\nB\n---\n";
        assert_eq!(
            append_to_section(note, "B", "y").unwrap(),
            format!("{note}y\n")
        );
        let note = "# A\nB\n===\n";
        let added = append_to_section(note, "A", "y").unwrap();
        assert_eq!(added, "# A\ny\n\nB\n===\n");
    }
}
