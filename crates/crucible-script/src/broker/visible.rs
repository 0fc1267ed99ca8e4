//! Which note a script means, among those that it may read.
//!
//! A script that may not read every note must not learn of the others: not by an answer, not by a
//! count, not by what a name resolves to. A name is therefore resolved among the notes that it
//! may read whenever the store's own answer is not one of them, and "not there" and "not granted"
//! are one answer that takes one way.

use crucible_notes::names::{base_name, fold, strip_md};
use crucible_services::data_store::{self, DataStore, ListRequest, Note, NoteSummary};

use super::Broker;
use crate::capability::Capability;
use crate::protocol::HostError;
use crate::scopes::Scopes;

/// The most pages that are looked through for a name or a listing: a million notes.
const PAGES_MAX: usize = 1000;
/// How many candidates an answer names.
const CANDIDATES_MAX: usize = 5;

impl Broker {
    /// Refuses a script that may read nothing at all, which it knows from its own manifest.
    pub(super) async fn require_reading(&self) -> Result<(), HostError> {
        if self.visit.scopes.reads_some() {
            Ok(())
        } else {
            Err(self.deny(Capability::NotesRead("**".to_owned())).await)
        }
    }

    /// Returns the note that `reference` names among those that the script may read.
    pub(super) async fn visible(&self, reference: &str) -> Result<Note, HostError> {
        self.require_reading().await?;
        let scopes = &self.visit.scopes;
        let store = self.desk.host.store.as_ref();
        match store.note(reference).await {
            Ok(note) if scopes.may_read(&note.summary.path) => Ok(note),
            answer if scopes.reads_all() => answer.map_err(|error| of_store(&error)),
            Ok(hidden) => {
                // A person can be told what a script reached for; the script cannot.
                let path = hidden.summary.path;
                self.tell_denied(Capability::NotesRead(path)).await;
                self.among_visible(reference).await
            }
            Err(
                data_store::Error::NotFound { .. }
                | data_store::Error::Ambiguous { .. }
                | data_store::Error::InvalidQuery { .. },
            ) => self.among_visible(reference).await,
            Err(other) => Err(of_store(&other)),
        }
    }

    /// Resolves a name among the visible notes alone: path, then file name, title or alias.
    async fn among_visible(&self, reference: &str) -> Result<Note, HostError> {
        let store = self.desk.host.store.as_ref();
        let notes = visible_notes(store, &self.visit.scopes, None, None).await?;
        let wanted = fold(strip_md(reference));
        let is_path = |note: &&NoteSummary| fold(strip_md(&note.path)) == wanted;
        let is_name = |note: &&NoteSummary| {
            let mut names = note.aliases.iter().map(String::as_str);
            fold(strip_md(base_name(&note.path))) == wanted
                || fold(&note.title) == wanted
                || names.any(|name| fold(name) == wanted)
        };
        let named: Vec<&NoteSummary> = match notes.iter().find(is_path) {
            Some(note) => vec![note],
            None => notes.iter().filter(is_name).collect(),
        };
        match named.as_slice() {
            [] => Err(not_found(reference)),
            [only] => store
                .note(&only.path)
                .await
                .map_err(|_| not_found(reference)),
            several => {
                let paths: Vec<&str> = several.iter().map(|note| note.path.as_str()).collect();
                let shown = paths[..paths.len().min(CANDIDATES_MAX)].join(", ");
                Err(HostError::new(
                    "ambiguous",
                    format!("several notes are called {reference:?}: {shown}; give the path"),
                ))
            }
        }
    }
}

/// Returns the summaries of all notes that may be read, in path order.
pub(super) async fn visible_notes(
    store: &dyn DataStore,
    scopes: &Scopes,
    folder: Option<&str>,
    tag: Option<&str>,
) -> Result<Vec<NoteSummary>, HostError> {
    let mut found = Vec::new();
    let mut cursor = None;
    for _page in 0..PAGES_MAX {
        let request = ListRequest {
            folder: folder.or_else(|| scopes.read_folder()).map(str::to_owned),
            tag: tag.map(str::to_owned),
            limit: ListRequest::LIMIT_MAX,
            cursor,
        };
        let page = store
            .list_notes(request)
            .await
            .map_err(|error| of_store(&error))?;
        let visible = page
            .notes
            .into_iter()
            .filter(|note| scopes.may_read(&note.path));
        found.extend(visible);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

/// The one answer for what is not there and for what may not be read.
pub(super) fn not_found(reference: &str) -> HostError {
    HostError::new(
        "not_found",
        format!("no note that this script may read is called {reference:?}"),
    )
}

/// Words an error of the store for a script that may read everything.
pub(super) fn of_store(error: &data_store::Error) -> HostError {
    let kind = match error {
        data_store::Error::NotFound { .. } => "not_found",
        data_store::Error::Ambiguous { .. } => "ambiguous",
        data_store::Error::InvalidQuery { .. } => "invalid",
        data_store::Error::Unavailable { .. } => "unavailable",
        _ => "failed",
    };
    HostError::new(kind, error.to_string())
}
