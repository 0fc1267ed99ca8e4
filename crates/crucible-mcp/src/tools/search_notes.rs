//! `search_notes`: from words to notes.

use crucible_services::data_store::{DataStore, SearchHit, SearchMode, SearchRequest, Snippet};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::shape;
use crate::answer::Answer;
use crate::budget::{self, json_len, shorten};
use crate::catalogue::ToolSpec;
use crate::fault::Fault;

const LIMIT_DEFAULT: usize = 10;
const BUDGET_TOKENS_DEFAULT: usize = 2_000;
/// How many characters of a snippet an answer shows.
const SNIPPET_CHARS_MAX: usize = 600;
/// How many characters of a line of headings an answer shows.
const HEADING_CHARS_MAX: usize = 200;
/// What one hit costs besides its texts: names of fields and punctuation.
const HIT_FRAME_BYTES: usize = 90;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "search_notes",
        "Search notes",
        "Finds notes by their words, best match first. Start here for any question that the \
         notes may answer. Each hit has the note's path, the line and heading of its best \
         passage, and a snippet; read on with read_note (ref = path, line = line).",
        shape::object(
            json!({
                "query": {
                    "type": "string",
                    "description": "Words, \"exact phrases\" and -exclusions.",
                    "minLength": 1,
                    "maxLength": 1000,
                },
                "folder": {
                    "type": "string",
                    "description": "Only notes below this folder, such as Projects/2026.",
                    "maxLength": 1024,
                },
                "tags": {
                    "type": "array",
                    "description": "Only notes with all of these tags or children of them.",
                    "items": { "type": "string", "maxLength": 200 },
                    "maxItems": 20,
                },
                "limit": {
                    "type": "integer",
                    "description": "How many notes at most.",
                    "minimum": 1,
                    "maximum": 50,
                    "default": LIMIT_DEFAULT,
                },
                "budget_tokens": {
                    "type": "integer",
                    "description": "How long the answer may be.",
                    "minimum": 200,
                    "maximum": 16000,
                    "default": BUDGET_TOKENS_DEFAULT,
                },
            }),
            &["query"],
        ),
        shape::object(
            json!({
                "hits": shape::objects(
                    json!({
                        "path": shape::text(),
                        "title": shape::text(),
                        "heading": shape::text(),
                        "line": shape::count(),
                        "snippet": shape::text(),
                        "score": { "type": "number" },
                    }),
                    &["path", "title", "heading", "line", "snippet", "score"],
                ),
                "left_out": {
                    "type": "integer",
                    "description": "Hits that did not fit into budget_tokens.",
                },
                "notices": shape::texts(),
            }),
            &["hits", "left_out", "notices"],
        ),
    )
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    query: String,
    folder: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    limit: Option<usize>,
    budget_tokens: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Output {
    hits: Vec<Hit>,
    left_out: usize,
    notices: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Hit {
    path: String,
    title: String,
    heading: String,
    line: u64,
    snippet: String,
    score: f64,
}

pub(super) async fn run(store: &dyn DataStore, arguments: Arguments) -> Result<Answer, Fault> {
    let limit = arguments.limit.unwrap_or(LIMIT_DEFAULT);
    let request = SearchRequest {
        query: arguments.query,
        limit,
        folder: shape::folder(arguments.folder),
        tags: arguments
            .tags
            .iter()
            .filter_map(|tag| shape::tag(tag))
            .collect(),
        mode: SearchMode::Auto,
    };
    let is_narrowed = request.folder.is_some() || !request.tags.is_empty();
    let response = store.search(request).await?;
    let budget = budget::bytes(arguments.budget_tokens.unwrap_or(BUDGET_TOKENS_DEFAULT));

    let mut found: Vec<SearchHit> = response.hits;
    found.truncate(limit);
    let total = found.len();
    let mut text = headline(total, is_narrowed);
    let mut hits = Vec::new();
    let mut taken = 0;
    for hit in found {
        let (shown, lines) = show(hits.len() + 1, hit);
        let cost = cost(&shown).max(lines.len());
        if !hits.is_empty() && taken + cost > budget {
            break;
        }
        taken += cost;
        text.push_str(&lines);
        hits.push(shown);
    }
    let left_out = total - hits.len();
    if left_out > 0 {
        text.push_str(&format!(
            "\n{left_out} more did not fit; raise budget_tokens or narrow the search."
        ));
    }
    let notices: Vec<String> = response
        .notices
        .iter()
        .take(5)
        .map(|notice| shorten(notice, 300))
        .collect();
    for notice in &notices {
        text.push_str(&format!("\nNote: {notice}"));
    }
    Answer::new(
        &Output {
            hits,
            left_out,
            notices,
        },
        text,
    )
}

fn headline(total: usize, is_narrowed: bool) -> String {
    match total {
        0 if is_narrowed => "No note matches. Try without folder and tags, or other words; \
                             list_notes shows which folders and tags there are."
            .to_owned(),
        0 => {
            "No note matches. Try other or fewer words; list_notes shows what there is.".to_owned()
        }
        1 => "1 note, as path:line.".to_owned(),
        _ => format!("{total} notes, best first, as path:line."),
    }
}

fn show(number: usize, hit: SearchHit) -> (Hit, String) {
    let title = shape::title(&hit.title);
    let heading = shorten(&hit.heading_path.join(" > "), HEADING_CHARS_MAX);
    let mut lines = format!("\n\n{number}. {}:{} — {title}", hit.path, hit.line);
    if !heading.is_empty() && heading != title {
        lines.push_str(" › ");
        lines.push_str(&heading);
    }
    let snippet = shorten(hit.snippet.text.trim(), SNIPPET_CHARS_MAX);
    if !snippet.is_empty() {
        lines.push_str("\n   ");
        lines.push_str(&shorten(marked(&hit.snippet).trim(), SNIPPET_CHARS_MAX));
    }
    let shown = Hit {
        path: hit.path,
        title,
        heading,
        line: hit.line,
        snippet,
        score: rounded(hit.score),
    };
    (shown, lines)
}

fn cost(hit: &Hit) -> usize {
    HIT_FRAME_BYTES
        + [&hit.path, &hit.title, &hit.heading, &hit.snippet]
            .into_iter()
            .map(|text| json_len(text))
            .sum::<usize>()
}

/// Puts the words found between `**`; ranges that make no sense are left alone.
fn marked(snippet: &Snippet) -> String {
    let mut text = String::new();
    let mut at = 0;
    for &(start, end) in &snippet.highlights {
        let between = snippet.text.get(at..start);
        let found = snippet.text.get(start..end);
        if let (Some(between), Some(found)) = (between, found)
            && !found.is_empty()
        {
            text.push_str(between);
            text.push_str("**");
            text.push_str(found);
            text.push_str("**");
            at = end;
        }
    }
    text.push_str(snippet.text.get(at..).unwrap_or_default());
    text
}

/// Three digits after the point; a score that is no number counts as none.
fn rounded(score: f32) -> f64 {
    let score = f64::from(score);
    if score.is_finite() {
        (score * 1000.0).round() / 1000.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highlights_that_make_no_sense_do_no_harm() {
        let check = |highlights: &[(usize, usize)], expected: &str| {
            let snippet = Snippet {
                text: "naïve plan".to_owned(),
                highlights: highlights.to_vec(),
            };
            assert_eq!(marked(&snippet), expected, "{highlights:?}");
        };
        check(&[(0, 6), (7, 11)], "**naïve** **plan**");
        check(&[(3, 5)], "naïve plan");
        check(&[(7, 99)], "naïve plan");
        check(&[(7, 11), (0, 6)], "naïve **plan**");
        check(&[(8, 2), (2, 2)], "naïve plan");
    }

    #[test]
    fn scores_are_always_numbers() {
        assert!((rounded(1.23456) - 1.235).abs() < f64::EPSILON);
        assert!(rounded(f32::NAN).abs() < f64::EPSILON);
        assert!(rounded(f32::INFINITY).abs() < f64::EPSILON);
    }
}
