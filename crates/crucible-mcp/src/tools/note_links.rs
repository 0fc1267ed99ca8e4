//! `note_links`: how a note hangs together with others.

use crucible_services::data_store::{Backlink, DataStore, LinkKind, NoteLinks, OutgoingLink};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::shape;
use crate::answer::Answer;
use crate::budget::{self, json_len, shorten};
use crate::catalogue::ToolSpec;
use crate::fault::Fault;
use crate::reference::first_found;

const LIMIT_DEFAULT: usize = 50;
/// How long a page may be.
const BUDGET_TOKENS: usize = 8_000;
/// How many characters of a link's target or context an answer shows.
const TEXT_CHARS_MAX: usize = 240;
/// What one link costs besides its texts: names of fields, numbers, punctuation.
const LINK_FRAME_BYTES: usize = 90;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "note_links",
        "Note links",
        "Shows which notes a note links to and which link to it (backlinks), each with its line. \
         Use it to find related notes, or links whose target does not exist (no resolved path).",
        shape::object(
            json!({
                "ref": {
                    "type": "string",
                    "description": "Path (best), file name, title or alias of the note.",
                    "minLength": 1,
                    "maxLength": shape::REF_CHARS_MAX,
                },
                "direction": {
                    "type": "string",
                    "description": "out: links from the note; in: backlinks.",
                    "enum": ["both", "out", "in"],
                    "default": "both",
                },
                "limit": {
                    "type": "integer",
                    "description": "How many links at most.",
                    "minimum": 1,
                    "maximum": 200,
                    "default": LIMIT_DEFAULT,
                },
                "cursor": {
                    "type": "string",
                    "description": "next_cursor of the page before.",
                    "minLength": 1,
                    "maxLength": 30,
                },
            }),
            &["ref"],
        ),
        shape::object(
            json!({
                "path": shape::text(),
                "title": shape::text(),
                "outgoing": shape::objects(
                    json!({
                        "target": shape::text(),
                        "resolved": shape::text(),
                        "ambiguous": { "type": "boolean" },
                        "kind": shape::text(),
                        "line": shape::count(),
                    }),
                    &["target", "ambiguous", "kind", "line"],
                ),
                "backlinks": shape::objects(
                    json!({
                        "path": shape::text(),
                        "title": shape::text(),
                        "line": shape::count(),
                        "context": shape::text(),
                    }),
                    &["path", "title", "line", "context"],
                ),
                "outgoing_total": shape::count(),
                "backlinks_total": shape::count(),
                "next_cursor": shape::text(),
            }),
            &[
                "path",
                "title",
                "outgoing",
                "backlinks",
                "outgoing_total",
                "backlinks_total",
            ],
        ),
    )
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    r#ref: String,
    #[serde(default)]
    direction: Direction,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    #[default]
    Both,
    Out,
    In,
}

#[derive(Debug, Serialize)]
struct Output {
    path: String,
    title: String,
    outgoing: Vec<Out>,
    backlinks: Vec<In>,
    outgoing_total: usize,
    backlinks_total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Out {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved: Option<String>,
    ambiguous: bool,
    kind: LinkKind,
    line: u64,
}

#[derive(Debug, Serialize)]
struct In {
    path: String,
    title: String,
    line: u64,
    context: String,
}

/// Links of both sorts in one row, so that one position says where a page begins.
enum Link {
    Out(Out),
    In(In),
}

impl Link {
    fn cost(&self) -> usize {
        let texts = match self {
            Self::Out(link) => {
                json_len(&link.target) + link.resolved.as_deref().map_or(0, json_len)
            }
            Self::In(link) => {
                json_len(&link.path) + json_len(&link.title) + json_len(&link.context)
            }
        };
        LINK_FRAME_BYTES + texts
    }
}

pub(super) async fn run(store: &dyn DataStore, arguments: Arguments) -> Result<Answer, Fault> {
    let start = position(arguments.cursor.as_deref())?;
    let (links, _) = first_found(
        &arguments.r#ref,
        |name| async move { store.links(&name).await },
    )
    .await?;
    let NoteLinks {
        path,
        title,
        outgoing,
        backlinks,
    } = links;
    let mut output = Output {
        path,
        title: shape::title(&title),
        outgoing: Vec::new(),
        backlinks: Vec::new(),
        outgoing_total: outgoing.len(),
        backlinks_total: backlinks.len(),
        next_cursor: None,
    };
    let out = outgoing
        .into_iter()
        .filter(|_| arguments.direction != Direction::In)
        .map(|link| Link::Out(shown_out(link)));
    let back = backlinks
        .into_iter()
        .filter(|_| arguments.direction != Direction::Out)
        .map(|link| Link::In(shown_in(link)));
    let limit = arguments.limit.unwrap_or(LIMIT_DEFAULT);
    let mut taken = 0;
    for (index, link) in out.chain(back).skip(start).enumerate() {
        taken += link.cost();
        if index == limit || (index > 0 && taken > budget::bytes(BUDGET_TOKENS)) {
            output.next_cursor = Some((start + index).to_string());
            break;
        }
        match link {
            Link::Out(link) => output.outgoing.push(link),
            Link::In(link) => output.backlinks.push(link),
        }
    }
    let text = markdown(&output, arguments.direction);
    Answer::new(&output, text)
}

fn position(cursor: Option<&str>) -> Result<usize, Fault> {
    let Some(cursor) = cursor else { return Ok(0) };
    cursor.parse().map_err(|_| {
        Fault::invalid(
            "This is not a cursor that note_links gave. Use next_cursor as it was given, or begin \
             again without cursor.",
        )
    })
}

fn shown_out(link: OutgoingLink) -> Out {
    let mut target = link.target;
    for (mark, part) in [("#", link.heading), ("#^", link.block)] {
        if let Some(part) = part {
            target.push_str(mark);
            target.push_str(&part);
        }
    }
    Out {
        target: shorten(&target, TEXT_CHARS_MAX),
        resolved: link.resolved,
        ambiguous: link.ambiguous,
        kind: link.kind,
        line: link.line,
    }
}

fn shown_in(link: Backlink) -> In {
    In {
        path: link.path,
        title: shape::title(&link.title),
        line: link.line,
        context: shorten(link.context.trim(), TEXT_CHARS_MAX),
    }
}

fn markdown(output: &Output, direction: Direction) -> String {
    let mut text = format!("{} — {}", output.path, output.title);
    if direction != Direction::In {
        let heading = heading("Links to", output.outgoing.len(), output.outgoing_total);
        text.push_str(&heading);
        for link in &output.outgoing {
            let to = link.resolved.as_deref().unwrap_or("nothing has this name");
            let doubt = if link.ambiguous {
                " (several have this name)"
            } else {
                ""
            };
            text.push_str(&format!(
                "\n- line {}: {} → {to}{doubt}",
                link.line, link.target
            ));
        }
    }
    if direction != Direction::Out {
        let heading = heading(
            "Linked from",
            output.backlinks.len(),
            output.backlinks_total,
        );
        text.push_str(&heading);
        for link in &output.backlinks {
            text.push_str(&format!(
                "\n- {}:{} — {}: {}",
                link.path, link.line, link.title, link.context
            ));
        }
    }
    if let Some(cursor) = &output.next_cursor {
        text.push_str(&format!(
            "\n\n(More: call note_links with the same arguments and cursor {cursor:?}.)"
        ));
    }
    text
}

fn heading(what: &str, shown: usize, total: usize) -> String {
    if shown == total {
        format!("\n\n{what} ({total}):")
    } else {
        format!("\n\n{what} ({shown} of {total} on this page):")
    }
}
