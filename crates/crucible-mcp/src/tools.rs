//! The tools, one file each: what is said about it, its arguments, its answer.
//!
//! A tool gets arguments that fit its schema already and a desk to work at; deadlines, limits and
//! events are not its business but `gateway`'s.

mod create_note;
mod edit_note;
mod list_notes;
mod move_note;
mod note_links;
mod read_note;
mod search_notes;
mod section;
mod shape;
mod written;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::catalogue::ToolSpec;
use crate::desk::Desk;
use crate::fault::Fault;

/// Which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolKind {
    SearchNotes,
    ReadNote,
    ListNotes,
    NoteLinks,
    CreateNote,
    EditNote,
    MoveNote,
}

impl ToolKind {
    /// All tools, in the order in which they are listed: the one to begin with first.
    pub(crate) const ALL: [Self; 7] = [
        Self::SearchNotes,
        Self::ReadNote,
        Self::ListNotes,
        Self::NoteLinks,
        Self::CreateNote,
        Self::EditNote,
        Self::MoveNote,
    ];

    /// Returns what is said about the tool.
    pub(crate) fn spec(self) -> ToolSpec {
        match self {
            Self::SearchNotes => search_notes::spec(),
            Self::ReadNote => read_note::spec(),
            Self::ListNotes => list_notes::spec(),
            Self::NoteLinks => note_links::spec(),
            Self::CreateNote => create_note::spec(),
            Self::EditNote => edit_note::spec(),
            Self::MoveNote => move_note::spec(),
        }
    }

    /// Does the tool's work.
    ///
    /// # Errors
    /// What the model should know and do instead.
    pub(crate) async fn run(
        self,
        desk: &Desk<'_>,
        arguments: Map<String, Value>,
    ) -> Result<Answer, Fault> {
        match self {
            Self::SearchNotes => search_notes::run(desk.store, read(arguments)?).await,
            Self::ReadNote => read_note::run(desk.store, read(arguments)?).await,
            Self::ListNotes => list_notes::run(desk.store, read(arguments)?).await,
            Self::NoteLinks => note_links::run(desk.store, read(arguments)?).await,
            Self::CreateNote => create_note::run(desk, read(arguments)?).await,
            Self::EditNote => edit_note::run(desk, read(arguments)?).await,
            Self::MoveNote => move_note::run(desk, read(arguments)?).await,
        }
    }
}

/// Reads arguments that fit the schema; only a schema and a struct that disagree can fail here.
fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| Fault::invalid(format!("The arguments cannot be read: {error}.")))
}
