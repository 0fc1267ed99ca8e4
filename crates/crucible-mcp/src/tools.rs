//! The tools, one file each: what is said about it, its arguments, its answer.
//!
//! A tool gets arguments that fit its schema already and a store to ask; deadlines, limits and
//! events are not its business but `gateway`'s.

mod list_notes;
mod note_links;
mod read_note;
mod search_notes;
mod section;
mod shape;

use crucible_services::data_store::DataStore;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::catalogue::ToolSpec;
use crate::fault::Fault;

/// Which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolKind {
    SearchNotes,
    ReadNote,
    ListNotes,
    NoteLinks,
}

impl ToolKind {
    /// All tools, in the order in which they are listed: the one to begin with first.
    pub(crate) const ALL: [Self; 4] = [
        Self::SearchNotes,
        Self::ReadNote,
        Self::ListNotes,
        Self::NoteLinks,
    ];

    /// Returns what is said about the tool.
    pub(crate) fn spec(self) -> ToolSpec {
        match self {
            Self::SearchNotes => search_notes::spec(),
            Self::ReadNote => read_note::spec(),
            Self::ListNotes => list_notes::spec(),
            Self::NoteLinks => note_links::spec(),
        }
    }

    /// Does the tool's work.
    ///
    /// # Errors
    /// What the model should know and do instead.
    pub(crate) async fn run(
        self,
        store: &dyn DataStore,
        arguments: Map<String, Value>,
    ) -> Result<Answer, Fault> {
        match self {
            Self::SearchNotes => search_notes::run(store, read(arguments)?).await,
            Self::ReadNote => read_note::run(store, read(arguments)?).await,
            Self::ListNotes => list_notes::run(store, read(arguments)?).await,
            Self::NoteLinks => note_links::run(store, read(arguments)?).await,
        }
    }
}

/// Reads arguments that fit the schema; only a schema and a struct that disagree can fail here.
fn read<T: DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, Fault> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| Fault::invalid(format!("The arguments cannot be read: {error}.")))
}
