//! `move_note`: another path for a note.

use crucible_services::note_writer::MoveNote;
use serde::Deserialize;
use serde_json::json;

use super::{shape, written};
use crate::answer::Answer;
use crate::catalogue::ToolSpec;
use crate::desk::Desk;
use crate::fault::Fault;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "move_note",
        "Move note",
        "Moves or renames a note, and rewrites links that would break.",
        shape::object(
            json!({
                "ref": written::reference(),
                "to": {
                    "type": "string",
                    "description": "New path.",
                    "minLength": 1,
                    "maxLength": shape::REF_CHARS_MAX,
                },
                "if_match": written::if_match(),
                "update_links": {
                    "type": "boolean",
                    "default": true,
                },
            }),
            &["ref", "to", "if_match"],
        ),
        written::output(),
    )
    .writes(true)
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    r#ref: String,
    to: String,
    if_match: String,
    update_links: Option<bool>,
}

pub(super) async fn run(desk: &Desk<'_>, arguments: Arguments) -> Result<Answer, Fault> {
    let note = written::note_of(desk, &arguments.r#ref).await?;
    let request = MoveNote {
        from: note.path,
        to: arguments.to.trim().to_owned(),
        seen: arguments.if_match.trim().to_lowercase(),
        update_links: arguments.update_links.unwrap_or(true),
    };
    let done = desk.writer()?.rename(request, desk.author.clone()).await?;
    written::answer("Moved to", done)
}
