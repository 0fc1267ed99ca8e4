//! What the tools that change notes have in common: naming a note for sure, and their answer.

use crucible_services::data_store::NoteSummary;
use crucible_services::note_writer::Written;
use serde::Serialize;
use serde_json::{Value, json};

use super::shape;
use crate::answer::Answer;
use crate::desk::Desk;
use crate::fault::Fault;
use crate::reference::first_found;

/// How many rewritten notes an answer names.
const ALSO_MAX: usize = 100;

/// Schema of a reference to the note that is changed.
pub(super) fn reference() -> Value {
    json!({
        "type": "string",
        "description": "Path (best), or a name only it has.",
        "minLength": 1,
        "maxLength": shape::REF_CHARS_MAX,
    })
}

/// Schema of the hash that a writer has seen.
pub(super) fn if_match() -> Value {
    json!({
        "type": "string",
        "description": "hash from read_note.",
    })
}

/// Schema of the answer: no more than its names, since every client pays for the list of tools.
pub(super) fn output() -> Value {
    json!({ "type": "object" })
}

#[derive(Debug, Serialize)]
struct Output {
    path: String,
    hash: String,
    /// For `crucible undo`.
    change: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
}

/// Returns the one note that a reference names.
///
/// # Errors
/// When several notes have the name, or none: a change never guesses.
pub(super) async fn note_of(desk: &Desk<'_>, reference: &str) -> Result<NoteSummary, Fault> {
    let store = desk.store;
    let ask = |name: String| async move { store.note(&name).await };
    let (note, _) = first_found(reference, ask).await?;
    Ok(note.summary)
}

/// Answers with what was done.
pub(super) fn answer(what: &str, written: Written) -> Result<Answer, Fault> {
    let mut text = format!("{what} {}", written.path);
    if !written.also.is_empty() {
        text.push_str(&format!(
            ", and rewrote the links of {} notes",
            written.also.len()
        ));
    }
    let hash = written.hash.unwrap_or_default();
    text.push_str(&format!(
        ".\nhash: {hash}\nThe person can undo it: crucible undo {}",
        written.change
    ));
    let output = Output {
        path: written.path,
        hash,
        change: written.change,
        also: written.also.into_iter().take(ALSO_MAX).collect(),
    };
    Answer::new(&output, text)
}
