//! `create_note`: a note that is not there yet.

use crucible_services::note_writer::CreateNote;
use serde::Deserialize;
use serde_json::json;

use super::{shape, written};
use crate::answer::Answer;
use crate::catalogue::ToolSpec;
use crate::desk::Desk;
use crate::fault::Fault;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "create_note",
        "Create note",
        "Creates a note; never replaces one. Search first whether there is one on the subject.",
        shape::object(
            json!({
                "path": {
                    "type": "string",
                    "description": "Where, such as Projects/Garden.md; folders are made.",
                    "minLength": 1,
                    "maxLength": shape::REF_CHARS_MAX,
                },
                "text": {
                    "type": "string",
                    "description": "Markdown.",
                },
            }),
            &["path", "text"],
        ),
        written::output(),
    )
    .writes(false)
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    path: String,
    text: String,
}

pub(super) async fn run(desk: &Desk<'_>, arguments: Arguments) -> Result<Answer, Fault> {
    let request = CreateNote {
        path: arguments.path.trim().to_owned(),
        text: arguments.text,
    };
    let done = desk.writer()?.create(request, desk.author.clone()).await?;
    written::answer("Created", done)
}
