//! Notes written through the vault, with a real store for an index.

mod changes;
mod crashing;
mod faults;
mod following;
mod moves;
mod undoing;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use crucible_services::data_store::{DataStore as _, Error as StoreError};
use crucible_services::events::Cause;
use crucible_services::note_index::{Applied, ChangeBatch, FileChange, FileStamp, NoteIndex};
use crucible_services::note_writer::{
    Author, CreateNote, DeleteNote, Edit, EditNote, Error, MoveNote, NoteWriter as _, Written,
};
use crucible_services::tasks::TaskOwner;
use crucible_store::{Store, StoreConfig};
use crucible_vault::{VaultConfig, VaultFolder, VaultWriter, WriterConfig, WriterError, reconcile};
use tokio_util::sync::CancellationToken;

/// Passes everything on to a store and remembers what it was told.
#[derive(Debug)]
struct Spy {
    store: Store,
    told: Mutex<Vec<(String, Option<Cause>)>>,
}

#[async_trait]
impl NoteIndex for Spy {
    async fn known_files(&self) -> Result<HashMap<String, FileStamp>, StoreError> {
        self.store.known_files().await
    }

    async fn apply(&self, batch: ChangeBatch) -> Result<Applied, StoreError> {
        let shown: Vec<String> = batch.changes.iter().map(shown).collect();
        let cause = batch.cause;
        let applied = self.store.apply(batch).await?;
        let mut told = self.told.lock().unwrap();
        told.extend(shown.into_iter().map(|change| (change, cause)));
        Ok(applied)
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.store.settle().await
    }
}

fn shown(change: &FileChange) -> String {
    match change {
        FileChange::Upsert { path, .. } => format!("+{path}"),
        FileChange::Move { from, to, .. } => format!("{from}->{to}"),
        FileChange::Remove { path } => format!("-{path}"),
        FileChange::Skip { problem, .. } => format!("!{}", problem.path),
    }
}

/// A vault with a store and a writer.
struct Bench {
    place: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    folder: VaultFolder,
    index: Arc<Spy>,
    writer: VaultWriter,
    tasks: TaskOwner,
}

impl Bench {
    async fn new(files: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let place = temporary.path().canonicalize().unwrap();
        for (path, text) in files {
            let path = place.join("vault").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut bench = Self::open(&place, WriterConfig::default()).await.unwrap();
        bench._temporary = Some(temporary);
        bench
    }

    /// Opens what is at `place`, and brings the store up to what is on disk.
    async fn open(place: &Path, config: WriterConfig) -> Result<Self, WriterError> {
        std::fs::create_dir_all(place.join("vault")).unwrap();
        let folder = VaultFolder::open(&VaultConfig::new(place.join("vault"))).unwrap();
        let source = Arc::new(folder.clone());
        let store = Store::open(StoreConfig::new(place.join("index")), source)
            .await
            .unwrap();
        let index = Arc::new(Spy {
            store,
            told: Mutex::default(),
        });
        let tasks = TaskOwner::new("test");
        let writer = VaultWriter::new(
            folder.clone(),
            Arc::clone(&index) as _,
            Arc::new(index.store.clone()),
            place.join("history"),
            config,
            &tasks,
        )
        .await?;
        let token = CancellationToken::new();
        reconcile(&folder, index.as_ref(), &token).await.unwrap();
        index.told.lock().unwrap().clear();
        Ok(Self {
            place: place.to_owned(),
            _temporary: None,
            folder,
            index,
            writer,
            tasks,
        })
    }

    /// Ends this and opens the same again.
    async fn reopen(self, config: WriterConfig) -> Self {
        let Self {
            place,
            _temporary,
            index,
            tasks,
            writer,
            folder,
        } = self;
        tasks.shutdown(crate::recorder::DEADLINE).await.unwrap();
        drop((writer, folder));
        index.store.close().await;
        drop(index);
        let mut bench = Self::open(&place, config).await.unwrap();
        bench._temporary = _temporary;
        bench
    }

    fn at(&self, path: &str) -> PathBuf {
        self.place.join("vault").join(path)
    }

    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.at(path)).ok()
    }

    fn hash(&self, path: &str) -> String {
        hash(&std::fs::read(self.at(path)).unwrap())
    }

    /// What the index was told since the last call.
    fn told(&self) -> Vec<String> {
        let mut told = self.index.told.lock().unwrap();
        std::mem::take(&mut *told)
            .into_iter()
            .map(|(change, _)| change)
            .collect()
    }

    /// Everything in the vault's folders, hidden files included.
    fn all_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.place.join("vault")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    let path = entry.path();
                    let path = path.strip_prefix(self.place.join("vault")).unwrap();
                    names.push(path.to_string_lossy().into_owned());
                }
            }
        }
        names.sort_unstable();
        names
    }

    async fn create(&self, path: &str, text: &str) -> Result<Written, Error> {
        let (path, text) = (path.to_owned(), text.to_owned());
        self.writer
            .create(CreateNote { path, text }, author())
            .await
    }

    async fn edit(&self, path: &str, edits: Vec<Edit>) -> Result<Written, Error> {
        let seen = self.hash(path);
        self.edit_seen(path, &seen, edits).await
    }

    async fn edit_seen(&self, path: &str, seen: &str, edits: Vec<Edit>) -> Result<Written, Error> {
        let (path, seen) = (path.to_owned(), seen.to_owned());
        self.writer
            .edit(EditNote { path, seen, edits }, author())
            .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Written, Error> {
        let request = MoveNote {
            from: from.to_owned(),
            to: to.to_owned(),
            seen: self.hash(from),
            update_links: true,
        };
        self.writer.rename(request, author()).await
    }

    async fn delete(&self, path: &str) -> Result<Written, Error> {
        let (path, seen) = (path.to_owned(), self.hash(path));
        self.writer
            .delete(DeleteNote { path, seen }, author())
            .await
    }

    async fn undo(&self, change: Option<&str>) -> Result<Written, Error> {
        self.writer.undo(change, author()).await
    }

    /// Checks that the store knows exactly the notes on disk, with their content.
    async fn check_index(&self) {
        let page = self
            .index
            .store
            .list_notes(Default::default())
            .await
            .unwrap();
        let known: Vec<(String, String)> = page
            .notes
            .into_iter()
            .map(|note| (note.path, note.hash))
            .collect();
        let on_disk: Vec<(String, String)> = self
            .all_names()
            .into_iter()
            .filter(|name| name.ends_with(".md"))
            .map(|name| (name.clone(), self.hash(&name)))
            .collect();
        assert_eq!(known, on_disk);
    }
}

fn author() -> Author {
    Author::new("test")
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn append(text: &str) -> Vec<Edit> {
    vec![Edit::Append {
        text: text.to_owned(),
    }]
}

fn overwrite(text: &str) -> Vec<Edit> {
    vec![Edit::Overwrite {
        text: text.to_owned(),
    }]
}
