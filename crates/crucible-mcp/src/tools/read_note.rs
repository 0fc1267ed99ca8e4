//! `read_note`: the text of one note, a page at a time.

use std::ops::Range;

use crucible_services::data_store::{DataStore, Heading, Note};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::section::{self, line_starts};
use super::shape;
use crate::answer::Answer;
use crate::budget::{self, json_len, json_prefix, shorten};
use crate::catalogue::ToolSpec;
use crate::fault::{Fault, FaultKind};
use crate::reference::first_found;

const BUDGET_TOKENS_DEFAULT: usize = 8_000;
/// How many headings an outline shows.
const OUTLINE_MAX: usize = 60;
/// How many characters of a heading an outline shows.
const HEADING_CHARS_MAX: usize = 100;
/// How many digits of the hash a cursor carries.
const CURSOR_HASH_DIGITS: usize = 16;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "read_note",
        "Read note",
        "Reads one note: its Markdown text with frontmatter, and the hash of its content. Long \
         notes come in pages: next_cursor is there while there is more. Give section or line to \
         read a part only.",
        shape::object(
            json!({
                "ref": {
                    "type": "string",
                    "description": "Path (best), file name, title or alias of the note.",
                    "minLength": 1,
                    "maxLength": shape::REF_CHARS_MAX,
                },
                "section": {
                    "type": "string",
                    "description": "Only the part below this heading; \"Parent > Child\" if several have the name.",
                    "minLength": 1,
                    "maxLength": 1000,
                },
                "line": {
                    "type": "integer",
                    "description": "Begin at this line.",
                    "minimum": 1,
                },
                "cursor": {
                    "type": "string",
                    "description": "next_cursor of the page before.",
                    "minLength": 1,
                    "maxLength": 100,
                },
                "budget_tokens": {
                    "type": "integer",
                    "description": "How long a page may be.",
                    "minimum": 200,
                    "maximum": 16000,
                    "default": BUDGET_TOKENS_DEFAULT,
                },
            }),
            &["ref"],
        ),
        shape::object(
            json!({
                "path": shape::text(),
                "title": shape::text(),
                "hash": { "type": "string", "description": "BLAKE3 of the whole file." },
                "text": shape::text(),
                "start_line": shape::count(),
                "end_line": shape::count(),
                "total_lines": shape::count(),
                "tags": shape::texts(),
                "aliases": shape::texts(),
                "modified": shape::text(),
                "outline": shape::objects(
                    json!({ "level": shape::count(), "text": shape::text(), "line": shape::count() }),
                    &["level", "text", "line"],
                ),
                "next_cursor": shape::text(),
            }),
            &[
                "path",
                "title",
                "hash",
                "text",
                "start_line",
                "end_line",
                "total_lines",
            ],
        ),
    )
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    r#ref: String,
    section: Option<String>,
    line: Option<u64>,
    cursor: Option<String>,
    budget_tokens: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Output {
    path: String,
    title: String,
    hash: String,
    text: String,
    start_line: u64,
    end_line: u64,
    total_lines: u64,
    tags: Vec<String>,
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    /// Only on the first page, and only when it is not the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outline: Vec<Heading>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(super) async fn run(store: &dyn DataStore, arguments: Arguments) -> Result<Answer, Fault> {
    let asked = [
        arguments.section.is_some(),
        arguments.line.is_some(),
        arguments.cursor.is_some(),
    ];
    if asked.into_iter().filter(|given| *given).count() > 1 {
        return Err(Fault::invalid(
            "Give only one of `section`, `line` and `cursor`; a cursor knows its section.",
        ));
    }
    let (note, reading) = first_found(
        &arguments.r#ref,
        |name| async move { store.note(&name).await },
    )
    .await?;
    let starts = line_starts(&note.text);
    let whole = 0..note.text.len();
    let wanted = if let Some(cursor) = &arguments.cursor {
        resumed(cursor, &note)?
    } else if let Some(section) = &arguments.section {
        section::find(section, &note.headings, &starts, whole.end)?
    } else if let Some(line) = arguments.line {
        from_line(line, &starts, whole.end)?
    } else if let Some(section) = &reading.section {
        // The mark came with a link that was copied, so a heading that is gone is no fault.
        section::find(section, &note.headings, &starts, whole.end).unwrap_or(whole)
    } else if let Some(line) = reading.line {
        from_line(line, &starts, whole.end).unwrap_or(whole)
    } else {
        whole
    };
    let budget = budget::bytes(arguments.budget_tokens.unwrap_or(BUDGET_TOKENS_DEFAULT));
    let page = wanted.start..page_end(&note.text, &wanted, budget);
    answer(note, &starts, page, &wanted, arguments.cursor.is_none())
}

/// Returns what a cursor stands for.
fn resumed(cursor: &str, note: &Note) -> Result<Range<usize>, Fault> {
    let stale = || {
        Fault::new(
            FaultKind::Changed,
            "The note has changed since this cursor was given, so the pages do not fit together. \
             Read it again from the start, without cursor.",
        )
    };
    let unknown = || {
        Fault::invalid(
            "This is not a cursor that read_note gave. Use next_cursor as it was given, or begin \
             again without cursor.",
        )
    };
    let mut parts = cursor.split('.');
    let (Some(hash), Some(start), Some(end), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(unknown());
    };
    let (Ok(start), Ok(end)) = (start.parse::<usize>(), end.parse::<usize>()) else {
        return Err(unknown());
    };
    if hash != short_hash(&note.summary.hash) {
        return Err(stale());
    }
    note.text
        .get(start..end)
        .map(|_| start..end)
        .ok_or_else(unknown)
}

fn short_hash(hash: &str) -> &str {
    hash.get(..CURSOR_HASH_DIGITS).unwrap_or(hash)
}

fn from_line(line: u64, starts: &[usize], end: usize) -> Result<Range<usize>, Fault> {
    let index = usize::try_from(line - 1).unwrap_or(usize::MAX);
    starts.get(index).map(|start| *start..end).ok_or_else(|| {
        Fault::invalid(format!(
            "The note has only {} lines; `line` is {line}.",
            starts.len()
        ))
    })
}

/// Returns where a page that begins at `wanted.start` ends: after a whole line if one fits.
fn page_end(text: &str, wanted: &Range<usize>, budget: usize) -> usize {
    let rest = &text[wanted.clone()];
    let mut taken = 0;
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        taken += json_len(line);
        if taken > budget {
            break;
        }
        end += line.len();
    }
    if end == 0 {
        end = json_prefix(rest, budget).len();
    }
    wanted.start + end
}

fn answer(
    note: Note,
    starts: &[usize],
    page: Range<usize>,
    wanted: &Range<usize>,
    is_first: bool,
) -> Result<Answer, Fault> {
    let line_of = |at: usize| starts.partition_point(|start| *start <= at) as u64;
    let next_cursor = (page.end < wanted.end).then(|| {
        format!(
            "{}.{}.{}",
            short_hash(&note.summary.hash),
            page.end,
            wanted.end
        )
    });
    let outline = if is_first && next_cursor.is_some() {
        outline(&note.headings)
    } else {
        Vec::new()
    };
    let text = note.text[page.clone()].to_owned();
    let output = Output {
        title: shape::title(&note.summary.title),
        hash: shorten(&note.summary.hash, 64),
        start_line: line_of(page.start),
        end_line: line_of(page.end.saturating_sub(1).max(page.start)),
        total_lines: starts.len() as u64,
        tags: shape::labels(&note.summary.tags),
        aliases: shape::labels(&note.summary.aliases),
        modified: shape::time(note.summary.modified_ms),
        path: note.summary.path,
        text,
        outline,
        next_cursor,
    };
    let markdown = markdown(&output);
    Answer::new(&output, markdown)
}

fn outline(headings: &[Heading]) -> Vec<Heading> {
    headings
        .iter()
        .take(OUTLINE_MAX)
        .map(|heading| Heading {
            text: shorten(&heading.text, HEADING_CHARS_MAX),
            ..*heading
        })
        .collect()
}

fn markdown(output: &Output) -> String {
    let Output {
        path,
        title,
        hash,
        start_line,
        end_line,
        total_lines,
        ..
    } = output;
    let mut text =
        format!("{path}:{start_line}-{end_line} of {total_lines} lines — {title}\nhash: {hash}");
    if !output.tags.is_empty() {
        text.push_str(&format!("\ntags: {}", output.tags.join(", ")));
    }
    if !output.aliases.is_empty() {
        text.push_str(&format!("\naliases: {}", output.aliases.join(", ")));
    }
    for (number, heading) in output.outline.iter().enumerate() {
        text.push_str(if number == 0 { "\noutline: " } else { "; " });
        text.push_str(&format!("{} (line {})", heading.text, heading.line));
    }
    if output.text.is_empty() {
        text.push_str("\n\n(no text)");
        return text;
    }
    text.push_str("\n\n");
    text.push_str(&output.text);
    if let Some(cursor) = &output.next_cursor {
        text.push_str(&format!(
            "\n\n(More: call read_note with this ref and cursor {cursor:?}.)"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ends_after_a_line_or_inside_one_that_is_too_long() {
        let check = |text: &str, budget, expected: &str| {
            assert_eq!(
                &text[..page_end(text, &(0..text.len()), budget)],
                expected,
                "{text:?}"
            );
        };
        check("ab\ncd\nef", 8, "ab\ncd\n");
        check("ab\ncd\nef", 7, "ab\n");
        check("漢字漢字\nx", 7, "漢字");
        check("", 7, "");
    }
}
