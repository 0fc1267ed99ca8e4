//! The vault itself and everything that is kept of it: folder, index, state, former versions.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::service_traits::{DataStore, NoteIndex, NoteWriter, StateStore};
use crucible_services::state_store::MemoryState;
use crucible_services::tasks::TaskOwner;
use crucible_store::{StateFile, Store, StoreConfig};
use crucible_vault::{VaultConfig, VaultFolder, VaultService, VaultWriter, WriterConfig};

use super::{Role, StartError};
use crate::location::Location;

/// How long the writer of notes may take to finish what it has begun.
const WRITER_DEADLINE: Duration = Duration::from_secs(10);

/// The parts of one vault.
pub(super) struct Vault {
    pub(super) store: Store,
    pub(super) service: Arc<VaultService>,
    pub(super) state: Arc<dyn StateStore>,
    /// `None` for a process that does not stay: it changes nothing.
    pub(super) writer: Option<Arc<dyn NoteWriter>>,
    tasks: TaskOwner,
}

impl Vault {
    /// Opens folder, index and state.
    pub(super) async fn open(location: &Location, role: Role) -> Result<Self, StartError> {
        let config = VaultConfig {
            watch: role.stays(),
            ..VaultConfig::new(location.vault())
        };
        let folder = VaultFolder::open(&config)?;
        let source = Arc::new(folder.clone());
        let store = Store::open(StoreConfig::new(location.index_dir()), source).await?;
        let index: Arc<dyn NoteIndex> = Arc::new(store.clone());
        let service = Arc::new(VaultService::new(
            config,
            folder.clone(),
            Arc::clone(&index),
        ));
        let tasks = TaskOwner::new("vault");
        let mut vault = Self {
            store,
            service,
            state: Arc::new(MemoryState::default()),
            writer: None,
            tasks,
        };
        if role.stays() {
            vault.state = Arc::new(open_state(location).await?);
            vault.writer = Some(Arc::new(vault.writer(location, folder, index).await?));
        }
        Ok(vault)
    }

    async fn writer(
        &self,
        location: &Location,
        folder: VaultFolder,
        index: Arc<dyn NoteIndex>,
    ) -> Result<VaultWriter, StartError> {
        let store: Arc<dyn DataStore> = Arc::new(self.store.clone());
        let (history, config) = (location.history_dir(), WriterConfig::default());
        Ok(VaultWriter::new(folder, index, store, history, config, &self.tasks).await?)
    }

    /// Gives everything back; returns what did not end, in words.
    pub(super) async fn close(&self) -> Vec<String> {
        let ended = self.tasks.shutdown(WRITER_DEADLINE).await;
        self.store.close().await;
        ended.err().unwrap_or_default()
    }
}

async fn open_state(location: &Location) -> Result<StateFile, StartError> {
    let path = location.state_file();
    tokio::task::spawn_blocking(move || StateFile::open(path))
        .await
        .map_or(Err(StartError::Stopped), |opened| Ok(opened?))
}
