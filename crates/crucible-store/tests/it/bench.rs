//! A vault in memory with a store over it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crucible_services::data_store::{
    DataStore as _, Error, ListRequest, NoteLinks, NoteSummary, Problem, SearchRequest, StoreStats,
};
use crucible_services::note_index::{
    Applied, ChangeBatch, ChangeOrigin, FileChange, FileContent, FileStamp, NoteIndex as _,
    NoteSource,
};
use crucible_store::{Store, StoreConfig};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Files in memory, each with the stamp of its last write.
#[derive(Debug, Default)]
pub(crate) struct MemoryVault {
    files: Mutex<BTreeMap<String, (FileStamp, Bytes)>>,
}

#[async_trait]
impl NoteSource for MemoryVault {
    async fn read(&self, path: &str) -> Result<Bytes, Error> {
        self.get(path)
            .map(|(_, bytes)| bytes)
            .ok_or(Error::NotFound {
                reference: path.to_owned(),
                candidates: Vec::new(),
            })
    }
}

impl MemoryVault {
    pub(crate) fn get(&self, path: &str) -> Option<(FileStamp, Bytes)> {
        self.files.lock().unwrap().get(path).cloned()
    }

    /// Writes a file and returns the change that tells so.
    pub(crate) fn write(&self, path: &str, content: impl Into<Bytes>) -> FileChange {
        let content = content.into();
        let mut files = self.files.lock().unwrap();
        let newest = files.values().map(|(stamp, _)| stamp.modified_ns).max();
        let modified_ns = newest.unwrap_or(1_700_000_000_000_000_000) + 1_000_000;
        let stamp = FileStamp {
            size: content.len() as u64,
            modified_ns,
            inode: modified_ns.cast_unsigned(),
        };
        files.insert(path.to_owned(), (stamp, content));
        drop(files);
        self.upsert(path)
    }

    pub(crate) fn upsert(&self, path: &str) -> FileChange {
        let (stamp, content) = self.get(path).unwrap();
        let is_note = path.ends_with(".md");
        FileChange::Upsert {
            path: path.to_owned(),
            stamp,
            content: if is_note {
                FileContent::Note(content)
            } else {
                FileContent::Attachment
            },
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> FileChange {
        let mut files = self.files.lock().unwrap();
        let file = files.remove(from).unwrap();
        let stamp = file.0;
        files.insert(to.to_owned(), file);
        FileChange::Move {
            from: from.to_owned(),
            to: to.to_owned(),
            stamp,
        }
    }

    pub(crate) fn remove(&self, path: &str) -> FileChange {
        self.files.lock().unwrap().remove(path).unwrap();
        FileChange::Remove {
            path: path.to_owned(),
        }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    /// What a comparison with `known` would tell.
    pub(crate) fn differences(
        &self,
        known: &std::collections::HashMap<String, FileStamp>,
    ) -> Vec<FileChange> {
        let gone = known.keys().filter(|path| self.get(path).is_none());
        let mut changes: Vec<FileChange> = gone
            .map(|path| FileChange::Remove { path: path.clone() })
            .collect();
        for path in self.paths() {
            if known.get(&path) != self.get(&path).map(|(stamp, _)| stamp).as_ref() {
                changes.push(self.upsert(&path));
            }
        }
        changes
    }
}

/// Everything that can be asked about an index, for comparison.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    notes: Vec<NoteSummary>,
    links: Vec<NoteLinks>,
    problems: Vec<Problem>,
    stats: StoreStats,
    found: BTreeMap<String, Vec<(String, String)>>,
}

/// A vault in memory, a folder for the index, and the store when it is open.
pub(crate) struct Bench {
    pub(crate) place: tempfile::TempDir,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let vault = Arc::new(MemoryVault::default());
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path().join("index"), &vault).await;
        Self {
            place,
            vault,
            store,
        }
    }

    /// A store over `files`, settled.
    pub(crate) async fn with(files: &[(&str, &str)]) -> Self {
        let bench = Self::new().await;
        let changes = files
            .iter()
            .map(|(path, text)| bench.vault.write(path, text.to_string()))
            .collect();
        bench.first(changes).await;
        bench
    }

    pub(crate) fn index_dir(&self) -> PathBuf {
        self.place.path().join("index")
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    /// Opens the index again after it was closed.
    pub(crate) async fn open_again(&mut self) {
        self.store = open(self.index_dir(), &self.vault).await;
    }

    pub(crate) async fn restart(&mut self) {
        self.close().await;
        self.open_again().await;
    }

    pub(crate) async fn apply(&self, changes: Vec<FileChange>) -> Applied {
        let origin = ChangeOrigin::Change;
        let batch = ChangeBatch {
            changes,
            origin,
            cause: None,
        };
        let applied = self.store.apply(batch).await.unwrap();
        self.store.settle().await.unwrap();
        applied
    }

    pub(crate) async fn first(&self, changes: Vec<FileChange>) -> Applied {
        let origin = ChangeOrigin::FirstIndex;
        let batch = ChangeBatch {
            changes,
            origin,
            cause: None,
        };
        let applied = self.store.apply(batch).await.unwrap();
        self.store.settle().await.unwrap();
        applied
    }

    pub(crate) async fn put(&self, path: &str, text: &str) -> Applied {
        let change = self.vault.write(path, text.to_owned());
        self.apply(vec![change]).await
    }

    /// Tells the store whatever it does not know, as the vault does at its start.
    pub(crate) async fn reconcile(&self) -> Applied {
        let known = self.store.known_files().await.unwrap();
        self.apply(self.vault.differences(&known)).await
    }

    pub(crate) async fn found(&self, query: &str) -> Vec<String> {
        found(&self.store, query).await
    }

    pub(crate) async fn resolved(&self, note: &str) -> Vec<Option<String>> {
        let links = self.store.links(note).await.unwrap();
        links
            .outgoing
            .into_iter()
            .map(|link| link.resolved)
            .collect()
    }

    pub(crate) async fn backlinks(&self, note: &str) -> Vec<String> {
        let links = self.store.links(note).await.unwrap();
        links.backlinks.into_iter().map(|link| link.path).collect()
    }

    /// Everything in the index; `words` are searched for.
    pub(crate) async fn content(&self, words: &[&str]) -> Content {
        content(&self.store, words).await
    }

    /// What an index that is built anew over the same files holds.
    pub(crate) async fn fresh_content(&self, words: &[&str]) -> Content {
        let place = tempfile::tempdir().unwrap();
        let store = open(place.path().join("index"), &self.vault).await;
        let changes = self
            .vault
            .paths()
            .iter()
            .map(|path| self.vault.upsert(path))
            .collect();
        let origin = ChangeOrigin::FirstIndex;
        store
            .apply(ChangeBatch {
                changes,
                origin,
                cause: None,
            })
            .await
            .unwrap();
        store.settle().await.unwrap();
        let content = content(&store, words).await;
        store.close().await;
        content
    }
}

pub(crate) async fn open(index_dir: PathBuf, vault: &Arc<MemoryVault>) -> Store {
    let source = Arc::clone(vault) as Arc<dyn NoteSource>;
    Store::open(StoreConfig::new(index_dir), source)
        .await
        .unwrap()
}

pub(crate) async fn found(store: &Store, query: &str) -> Vec<String> {
    let mut request = SearchRequest::new(query);
    request.limit = SearchRequest::LIMIT_MAX;
    let response = store.search(request).await.unwrap();
    response.hits.into_iter().map(|hit| hit.path).collect()
}

async fn content(store: &Store, words: &[&str]) -> Content {
    let request = ListRequest {
        limit: ListRequest::LIMIT_MAX,
        ..ListRequest::default()
    };
    let notes = store.list_notes(request).await.unwrap().notes;
    let mut links = Vec::new();
    for note in &notes {
        links.push(store.links(&note.path).await.unwrap());
    }
    let mut found = BTreeMap::new();
    for word in words {
        let mut request = SearchRequest::new(*word);
        request.limit = SearchRequest::LIMIT_MAX;
        let hits = store.search(request).await.unwrap().hits;
        let mut hits: Vec<_> = hits
            .into_iter()
            .map(|hit| (hit.path, hit.snippet.text))
            .collect();
        hits.sort(); // scores depend on deleted documents that are still counted
        found.insert((*word).to_owned(), hits);
    }
    let stats = StoreStats {
        parsed_since_open: 0,
        index_size_bytes: 0,
        ..store.stats().await.unwrap()
    };
    Content {
        notes,
        links,
        problems: store.problems(1000).await.unwrap(),
        stats,
        found,
    }
}

/// Waits until `holds`; fails with `what` after the deadline.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "not before the deadline: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
