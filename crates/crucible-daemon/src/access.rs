//! How a command reaches the notes of a vault.
//!
//! Through the daemon that serves the vault, where one answers; by reading its index, where a
//! process without an API writes it; and otherwise by opening the vault itself, brought up to date
//! before the first answer. All three are the same `DataStore` to the command.

use std::sync::Arc;
use std::time::Duration;

use crucible_api::VaultInfo;
use crucible_api::auth::Secret;
use crucible_api::client::Client;
use crucible_services::data_store::DataStore;
use crucible_services::service_traits::NoteWriter;
use crucible_store::{Store, StoreConfig};
use crucible_vault::{VaultConfig, VaultFolder};

use crate::compose::{Daemon, DaemonConfig, StartError};
use crate::instance::{self, Instance};
use crate::location::Location;

/// Two commands that begin together: the second tries again until the first is visible as the
/// writer, for about two seconds.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// A way to the notes of one vault; [`Access::close`] it in the end.
pub struct Access {
    store: Arc<dyn DataStore>,
    writer: Option<Arc<dyn NoteWriter>>,
    /// Who asks the daemon, where one answers.
    client: Option<Client>,
    via: Via,
    local: Option<Daemon>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("via", &self.via)
            .finish_non_exhaustive()
    }
}

/// Which way was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The daemon that serves the vault answers.
    Daemon(Instance),
    /// Another process keeps the index fresh; this one reads it.
    Reader(Instance),
    /// This process opened the vault.
    Own,
}

impl Access {
    /// Takes the best way that there is now; `config` is for the case that this process has to
    /// open the vault itself.
    ///
    /// A vault that this process opens itself may still be indexing: see
    /// [`Access::own_daemon`] and [`Daemon::wait_indexed`].
    ///
    /// # Errors
    /// When the vault cannot be opened.
    pub async fn open(config: &DaemonConfig) -> Result<Self, StartError> {
        let mut tries = 1;
        loop {
            if let Some(access) = Self::running(&config.location).await? {
                return Ok(access);
            }
            match Self::own(config).await {
                Err(error) if error.is_vault_in_use() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Takes the way through the process that writes the index now; `None` when there is none.
    ///
    /// # Errors
    /// When there is one and its index cannot be read.
    pub async fn running(location: &Location) -> Result<Option<Self>, StartError> {
        let mut tries = 1;
        loop {
            let Some(holder) = instance::running(location) else {
                return Ok(None);
            };
            if let Some(client) = answering(location, &holder).await {
                let (store, via) = (Arc::new(client.clone()), Via::Daemon(holder));
                return Ok(Some(Self {
                    store,
                    writer: Some(Arc::new(client.clone())),
                    client: Some(client),
                    via,
                    local: None,
                }));
            }
            // The writer may be creating its index, or its API, at this very moment.
            match read_along(location).await {
                Ok(store) => {
                    let (store, via) = (Arc::new(store), Via::Reader(holder));
                    return Ok(Some(Self {
                        store,
                        writer: None,
                        client: None,
                        via,
                        local: None,
                    }));
                }
                Err(_) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    async fn own(config: &DaemonConfig) -> Result<Self, StartError> {
        let daemon = Daemon::start(config.clone()).await?;
        Ok(Self {
            store: daemon.store(),
            writer: daemon.writer(),
            client: None,
            via: Via::Own,
            local: Some(daemon),
        })
    }

    /// Returns the store to ask.
    #[must_use]
    pub fn store(&self) -> Arc<dyn DataStore> {
        Arc::clone(&self.store)
    }

    /// Returns who changes notes; `None` where they can only be read.
    #[must_use]
    pub fn writer(&self) -> Option<Arc<dyn NoteWriter>> {
        self.writer.clone()
    }

    /// Returns who asks the daemon; `None` where none answers.
    pub(crate) const fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Returns which way was taken.
    #[must_use]
    pub const fn via(&self) -> &Via {
        &self.via
    }

    /// Returns the daemon inside this process, when the vault was opened by it.
    #[must_use]
    pub const fn own_daemon(&self) -> Option<&Daemon> {
        self.local.as_ref()
    }

    /// Gives everything back.
    pub async fn close(self) {
        if let Some(daemon) = self.local {
            daemon.stop("the command is done").await;
        }
    }
}

/// Returns a client of the writer's API, when that answers and is about this vault.
pub(crate) async fn answering(location: &Location, holder: &Instance) -> Option<Client> {
    let client = client(location, holder)?;
    // An address that was left behind may be another daemon's by now.
    let is_ours = |vault: VaultInfo| vault.path == location.vault();
    client.vault().await.is_ok_and(is_ours).then_some(client)
}

/// Returns a client of the API of `holder`, let in as this person; `None` when it has no API.
#[must_use]
pub fn client(location: &Location, holder: &Instance) -> Option<Client> {
    let client = Client::new(holder.api?);
    Some(match instance::token(location) {
        Some(token) => client.with_token(Secret::new(token)),
        None => client,
    })
}

async fn read_along(location: &Location) -> Result<Store, StartError> {
    let folder = VaultFolder::open(&VaultConfig::new(location.vault()))?;
    let config = StoreConfig::new(location.index_dir());
    Ok(Store::open_read_only(config, Arc::new(folder)).await?)
}
