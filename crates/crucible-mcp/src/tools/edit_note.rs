//! `edit_note`: another text for a note that was read.

use crucible_services::note_writer::{Edit, EditNote};
use serde::Deserialize;
use serde_json::json;

use super::{shape, written};
use crate::answer::Answer;
use crate::catalogue::ToolSpec;
use crate::desk::Desk;
use crate::fault::Fault;

/// How many edits one call may have.
const EDITS_MAX: usize = 100;

pub(super) fn spec() -> ToolSpec {
    ToolSpec::new(
        "edit_note",
        "Edit note",
        "Changes a note that you have read: all edits, or none. If it has changed since, nothing \
         is written and you are told its hash.",
        shape::object(
            json!({
                "ref": written::reference(),
                "if_match": written::if_match(),
                "edits": {
                    "type": "array",
                    "maxItems": EDITS_MAX,
                    "items": shape::object(
                        json!({
                            "op": {
                                "type": "string",
                                "description": "replace: old, which occurs once, by text; *_section: below heading.",
                                "enum": [
                                    "replace", "append", "prepend", "append_to_section",
                                    "replace_section", "overwrite",
                                ],
                            },
                            "text": shape::text(),
                            "old": {
                                "type": "string",
                                "description": "For replace.",
                            },
                            "heading": {
                                "type": "string",
                                "description": "Text, or Parent/Child.",
                            },
                        }),
                        &["op", "text"],
                    ),
                },
            }),
            &["ref", "if_match", "edits"],
        ),
        written::output(),
    )
    .writes(true)
}

#[derive(Debug, Deserialize)]
pub(super) struct Arguments {
    r#ref: String,
    if_match: String,
    edits: Vec<Flat>,
}

/// An edit as models write it: one object for all operations, which every client understands.
#[derive(Debug, Deserialize)]
struct Flat {
    op: Op,
    text: String,
    old: Option<String>,
    heading: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    Replace,
    Append,
    Prepend,
    AppendToSection,
    ReplaceSection,
    Overwrite,
}

pub(super) async fn run(desk: &Desk<'_>, arguments: Arguments) -> Result<Answer, Fault> {
    if arguments.edits.is_empty() {
        return Err(Fault::invalid("`edits` is empty; give at least one edit."));
    }
    let edits = (1..)
        .zip(arguments.edits)
        .map(|(number, flat)| flat.edit(number));
    let edits = edits.collect::<Result<Vec<_>, _>>()?;
    let note = written::note_of(desk, &arguments.r#ref).await?;
    let request = EditNote {
        path: note.path,
        seen: arguments.if_match.trim().to_lowercase(),
        edits,
    };
    let done = desk.writer()?.edit(request, desk.author.clone()).await?;
    written::answer("Changed", done)
}

impl Flat {
    fn edit(self, number: usize) -> Result<Edit, Fault> {
        let Self {
            op,
            text,
            old,
            heading,
        } = self;
        let needs = |name: &str| {
            Fault::invalid(format!(
                "Edit {number} needs `{name}`; give it and call again."
            ))
        };
        let is_odd = match op {
            Op::Replace => heading.is_some(),
            Op::AppendToSection | Op::ReplaceSection => old.is_some(),
            Op::Append | Op::Prepend | Op::Overwrite => old.is_some() || heading.is_some(),
        };
        if is_odd {
            return Err(Fault::invalid(format!(
                "Edit {number} has an argument that its `op` does not use: `old` belongs to \
                 replace, `heading` to append_to_section and replace_section."
            )));
        }
        Ok(match op {
            Op::Replace => Edit::Replace {
                old: old.ok_or_else(|| needs("old"))?,
                new: text,
            },
            Op::Append => Edit::Append { text },
            Op::Prepend => Edit::Prepend { text },
            Op::AppendToSection => Edit::AppendToSection {
                heading: heading.ok_or_else(|| needs("heading"))?,
                text,
            },
            Op::ReplaceSection => Edit::ReplaceSection {
                heading: heading.ok_or_else(|| needs("heading"))?,
                text,
            },
            Op::Overwrite => Edit::Overwrite { text },
        })
    }
}
