//! A client of whichever daemon serves the vault now.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use crucible_api::client::Client;
use crucible_services::data_store::{
    self, DataStore, ListRequest, Note, NoteLinks, NotePage, Problem, SearchRequest,
    SearchResponse, StoreStats,
};
use crucible_services::note_writer::{
    self, Author, Change, CreateNote, DeleteNote, EditNote, MoveNote, NoteWriter, Written,
};

/// Asks the daemon that was found last: one that was started again has another address, and takes
/// another token.
#[derive(Debug)]
pub(super) struct Link {
    client: ArcSwap<Client>,
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client: ArcSwap::from_pointee(client),
        }
    }

    /// Asks through `client` from now on.
    pub(super) fn switch(&self, client: Client) {
        self.client.store(Arc::new(client));
    }

    fn now(&self) -> Arc<Client> {
        self.client.load_full()
    }
}

#[async_trait]
impl DataStore for Link {
    async fn search(&self, request: SearchRequest) -> Result<SearchResponse, data_store::Error> {
        self.now().search(request).await
    }

    async fn note(&self, reference: &str) -> Result<Note, data_store::Error> {
        self.now().note(reference).await
    }

    async fn list_notes(&self, request: ListRequest) -> Result<NotePage, data_store::Error> {
        self.now().list_notes(request).await
    }

    async fn links(&self, reference: &str) -> Result<NoteLinks, data_store::Error> {
        self.now().links(reference).await
    }

    async fn stats(&self) -> Result<StoreStats, data_store::Error> {
        self.now().stats().await
    }

    async fn problems(&self, limit: usize) -> Result<Vec<Problem>, data_store::Error> {
        self.now().problems(limit).await
    }
}

#[async_trait]
impl NoteWriter for Link {
    async fn create(&self, request: CreateNote, by: Author) -> Result<Written, note_writer::Error> {
        self.now().create(request, by).await
    }

    async fn edit(&self, request: EditNote, by: Author) -> Result<Written, note_writer::Error> {
        self.now().edit(request, by).await
    }

    async fn rename(&self, request: MoveNote, by: Author) -> Result<Written, note_writer::Error> {
        self.now().rename(request, by).await
    }

    async fn delete(&self, request: DeleteNote, by: Author) -> Result<Written, note_writer::Error> {
        self.now().delete(request, by).await
    }

    async fn undo(&self, change: Option<&str>, by: Author) -> Result<Written, note_writer::Error> {
        self.now().undo(change, by).await
    }

    async fn history(
        &self,
        path: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Change>, note_writer::Error> {
        self.now().history(path, limit).await
    }
}
