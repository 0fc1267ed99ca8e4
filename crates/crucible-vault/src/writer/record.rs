//! What is written down of a change, before it is made.

use crucible_services::note_writer::Change;
use serde::{Deserialize, Serialize};

/// A change as it stands in the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What people are told of it.
    #[serde(flatten)]
    pub(super) change: Change,
    /// What it does to files, in order; each path once.
    pub(super) steps: Vec<Step>,
    /// The change that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) undoes: Option<String>,
}

/// What a change does to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) path: String,
    /// The hash of the content before; `None` when there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<String>,
    /// The hash of the content after; `None` when there is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    /// The rights of the file before, or of the one to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<u32>,
    /// The file comes from this path, content and all; that path has a step of its own, without
    /// content after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) moved_from: Option<String>,
}

impl Entry {
    /// Returns the name of the temporary file of a step: hidden, so that it is no note.
    pub(super) fn staged_name(&self, step: usize) -> String {
        format!(".crucible-{}-{step}.tmp", self.change.id)
    }

    /// Says whether the change touched the file at `path`.
    pub(super) fn touches(&self, path: &str) -> bool {
        self.steps.iter().any(|step| step.path == path)
    }

    /// Returns the hashes of the contents that undoing needs.
    pub(super) fn kept(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| step.before.as_deref())
    }
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The change is about to be made.
    Begin(Box<Entry>),
    /// The change was made, whole.
    Done(String),
    /// The change was not made: its files are as they were.
    Dropped(String),
}

/// Returns the hash by which content is known: BLAKE3, 64 hexadecimal digits.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
