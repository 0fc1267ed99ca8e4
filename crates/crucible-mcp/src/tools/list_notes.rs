//! `list_notes`: what there is, in path order.

use crucible_services::data_store::{DataStore, ListRequest, NotePage, NoteSummary};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::shape;
use crate::answer::Answer;
use crate::budget::{self, json_len};
use crate::catalogue::ToolSpec;
use crate::fault::Fault;

const LIMIT_DEFAULT: usize = 50;
/// How long a page may be; a page of very long paths is asked for again with fewer notes.
const BUDGET_TOKENS: usize = 8_000;
/// What one note costs besides its texts: names of fields, numbers, punctuation.
const NOTE_FRAME_BYTES: usize = 110;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "list_notes",
        "List notes",
        "Lists notes in path order with title, tags and time of last change. Use it to see what \
         a folder or tag holds; to find notes by what they say use search_notes.",
        shape::object(
            json!({
                "folder": {
                    "type": "string",
                    "description": "Only notes below this folder, such as Projects/2026.",
                    "maxLength": 1024,
                },
                "tag": {
                    "type": "string",
                    "description": "Only notes with this tag or a child of it.",
                    "maxLength": 200,
                },
                "limit": {
                    "type": "integer",
                    "description": "How many notes at most.",
                    "minimum": 1,
                    "maximum": 200,
                    "default": LIMIT_DEFAULT,
                },
                "cursor": {
                    "type": "string",
                    "description": "next_cursor of the page before.",
                    "minLength": 1,
                    "maxLength": 8000,
                },
            }),
            &[],
        ),
        shape::object(
            json!({
                "notes": shape::objects(
                    json!({
                        "path": shape::text(),
                        "title": shape::text(),
                        "tags": shape::texts(),
                        "modified": shape::text(),
                        "size_bytes": shape::count(),
                    }),
                    &["path", "title", "tags", "size_bytes"],
                ),
                "total": { "type": "integer", "description": "How many match in all." },
                "next_cursor": shape::text(),
            }),
            &["notes", "total"],
        ),
    )
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    folder: Option<String>,
    tag: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Output {
    notes: Vec<Listed>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Listed {
    path: String,
    title: String,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    size_bytes: u64,
}

pub(super) async fn run(store: &dyn DataStore, arguments: Arguments) -> Result<Answer, Fault> {
    let mut request = ListRequest {
        folder: shape::folder(arguments.folder),
        tag: arguments.tag.as_deref().and_then(shape::tag),
        limit: arguments.limit.unwrap_or(LIMIT_DEFAULT),
        cursor: arguments.cursor,
    };
    let is_narrowed = request.folder.is_some() || request.tag.is_some();
    let page = loop {
        let page = store.list_notes(request.clone()).await?;
        if request.limit == 1 || cost(&page) <= budget::bytes(BUDGET_TOKENS) {
            break page;
        }
        request.limit /= 2;
    };
    let output = Output {
        notes: page.notes.into_iter().map(listed).collect(),
        total: page.total,
        next_cursor: page.next_cursor,
    };
    let text = markdown(&output, is_narrowed);
    Answer::new(&output, text)
}

fn cost(page: &NotePage) -> usize {
    let note = |note: &NoteSummary| {
        let tags: usize = shape::labels(&note.tags)
            .iter()
            .map(|tag| json_len(tag) + 3)
            .sum();
        NOTE_FRAME_BYTES + json_len(&note.path) + json_len(&shape::title(&note.title)) + tags
    };
    page.notes.iter().map(note).sum()
}

fn listed(note: NoteSummary) -> Listed {
    Listed {
        title: shape::title(&note.title),
        tags: shape::labels(&note.tags),
        modified: shape::time(note.modified_ms),
        size_bytes: note.size_bytes,
        path: note.path,
    }
}

fn markdown(output: &Output, is_narrowed: bool) -> String {
    if output.notes.is_empty() {
        return if is_narrowed {
            "No note is there. Folders are written as in paths (Projects/2026), tags without #; \
             call list_notes without folder and tag to see all notes."
        } else {
            "There are no notes."
        }
        .to_owned();
    }
    let mut text = format!(
        "{} of {} notes, in path order.\n",
        output.notes.len(),
        output.total
    );
    for note in &output.notes {
        text.push_str(&format!("\n- {} — {}", note.path, note.title));
        for tag in &note.tags {
            text.push_str(&format!(" #{tag}"));
        }
        if let Some(day) = note.modified.as_deref().and_then(|time| time.get(..10)) {
            text.push_str(&format!(" ({day})"));
        }
    }
    if let Some(cursor) = &output.next_cursor {
        text.push_str(&format!(
            "\n\n(More: call list_notes with the same arguments and cursor {cursor:?}.)"
        ));
    }
    text
}
