//! The store as the daemon uses it.

use std::path::Path;
use std::sync::Arc;

use crucible_services::data_store::{DataStore, SearchRequest};
use crucible_services::note_index::NoteIndex;
use crucible_store::{Store, StoreConfig};
use crucible_vault::{VaultConfig, VaultFolder, reconcile};
use tokio_util::sync::CancellationToken;

use crate::Outcome;

/// Indexes the whole vault into `dir`; on return all of it is found by search.
pub(crate) async fn index(vault: &Path, dir: &Path) -> Outcome<Store> {
    let folder = VaultFolder::open(&VaultConfig::new(vault))?;
    let store = Store::open(StoreConfig::new(dir), Arc::new(folder.clone())).await?;
    let report = reconcile(&folder, &store, &CancellationToken::new()).await?;
    store.settle().await?;
    assert!(report.notes > 0, "the vault has notes");
    Ok(store)
}

/// Checks, outside of what is timed, that nothing of the index is missing.
pub(crate) async fn assert_whole(store: &Store) -> Outcome<()> {
    let stats = store.stats().await?;
    assert_eq!(stats.text_pending, 0, "settled");
    assert!(stats.notes > 0 && stats.blocks > 0, "the index has notes");
    Ok(())
}

/// Opens the index and compares the vault with it; nothing may have to be read.
pub(crate) async fn open_unchanged(vault: &Path, dir: &Path) -> Outcome<Store> {
    let folder = VaultFolder::open(&VaultConfig::new(vault))?;
    let store = Store::open(StoreConfig::new(dir), Arc::new(folder.clone())).await?;
    let report = reconcile(&folder, &store, &CancellationToken::new()).await?;
    assert_eq!(
        report.unchanged, report.files,
        "an unchanged vault is not read"
    );
    assert!(store.recovered().is_empty(), "the index is sound");
    Ok(store)
}

/// The ten best notes with snippets; returns how many.
pub(crate) async fn search(store: &Store, query: &str) -> Outcome<usize> {
    let response = store.search(SearchRequest::new(query)).await?;
    Ok(std::hint::black_box(response.hits).len())
}
