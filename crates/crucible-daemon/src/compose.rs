//! Puts the services together, in order, and takes them apart again.
//!
//! [`Daemon::start`] reads like a table of contents: who is created, what each is handed, and what
//! is registered with the core. Nothing here knows how a service does its work.

mod config;
mod error;
mod indexing;
mod listener;
mod stdio;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use crucible_api::auth::AccessControl;
use crucible_api::{ApiConfig, ApiParts, ApiService, VaultInfo};
use crucible_core::{CrucibleCore, CrucibleCoreBuilder};
use crucible_mcp::{McpConfig, McpService};
use crucible_services::data_store::DataStore;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventSource, EventType, SystemEventType,
};
use crucible_store::{Store, StoreConfig, StoreService};
use crucible_vault::{VaultConfig, VaultFolder, VaultService};
use tokio::time::Instant;

use crate::instance::{Instance, InstanceLock};
use crate::location::Location;

pub use config::{DaemonConfig, Role};
pub use error::StartError;
pub use indexing::{IndexProgress, Indexed};
pub use stdio::serve_mcp;

/// The port of the API when nothing else is said and it is free.
pub const DEFAULT_PORT: u16 = 7437;
/// How long the whole core may take to stop before it is left behind.
const STOP_DEADLINE: Duration = Duration::from_secs(45);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A vault with everything that keeps it indexed and open, under one core.
pub struct Daemon {
    location: Location,
    role: Role,
    core: CrucibleCore,
    store: Store,
    vault: Arc<VaultService>,
    mcp: Option<Arc<McpService>>,
    api: Option<SocketAddr>,
    begun: Instant,
    /// Last, so that the right to write goes when everything else has gone.
    lock: InstanceLock,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon")
            .field("location", &self.location)
            .field("role", &self.role)
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}

impl Daemon {
    /// Takes the right to write the vault's index, puts all services together and starts them.
    ///
    /// The index may still be behind the vault on return: see [`Daemon::wait_indexed`].
    ///
    /// # Errors
    /// When another process serves the vault, or a part cannot be opened or started.
    pub async fn start(config: DaemonConfig) -> Result<Self, StartError> {
        let daemon = Self::assemble(config).await?;
        match daemon.begin().await {
            Ok(()) => Ok(daemon),
            Err(error) => {
                daemon.stop("it did not start").await;
                Err(error)
            }
        }
    }

    async fn assemble(config: DaemonConfig) -> Result<Self, StartError> {
        let begun = Instant::now();
        let DaemonConfig {
            location,
            role,
            listen,
        } = config;

        location.create()?;
        let lock = take_lock(&location, role).await?;
        let listener = match role {
            Role::Serve => Some(listener::bind(listen)?),
            Role::Mcp | Role::Command(_) => None,
        };
        let api = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());

        let vault_config = VaultConfig {
            watch: role.stays(),
            ..VaultConfig::new(location.vault())
        };
        let folder = VaultFolder::open(&vault_config)?;
        let store_config = StoreConfig::new(location.index_dir());
        let store = Store::open(store_config, Arc::new(folder.clone())).await?;
        let index = Arc::new(store.clone());
        let vault = Arc::new(VaultService::new(vault_config, folder, index));

        let core = CrucibleCoreBuilder::new().build().await?;
        core.register_service(Arc::new(StoreService::new(store.clone())))
            .await?;
        core.register_service(Arc::clone(&vault)).await?;
        let mut mcp = None;
        if role.stays() {
            let config = McpConfig::new(location.vault_name());
            let service = Arc::new(McpService::new(config, Arc::new(store.clone())));
            core.register_service(Arc::clone(&service)).await?;
            mcp = Some(service);
        }
        if let Some(listener) = listener {
            let service = api_service(listener, &location, &core, &store, mcp.as_ref());
            core.register_service(Arc::new(service)).await?;
        }
        Ok(Self {
            location,
            role,
            core,
            store,
            vault,
            mcp,
            api,
            begun,
            lock,
        })
    }

    async fn begin(&self) -> Result<(), StartError> {
        self.core.start().await?;
        self.lock.describe(&instance(self.role, self.api))?;
        let version = VERSION.to_owned();
        self.tell(SystemEventType::DaemonStarted { version }).await;
        Ok(())
    }

    /// Stops everything in reverse order and gives the right to write back; `reason` is told to
    /// all who listen. Returns what could not be stopped cleanly, in words.
    pub async fn stop(self, reason: &str) -> Vec<String> {
        let mut leftovers = Vec::new();
        self.tell(SystemEventType::DaemonStopping {
            reason: reason.to_owned(),
        })
        .await;
        match tokio::time::timeout(STOP_DEADLINE, self.core.stop()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => leftovers.push(error.to_string()),
            Err(_elapsed) => leftovers.push(format!(
                "the services did not stop within {} s",
                STOP_DEADLINE.as_secs()
            )),
        }
        self.store.close().await;
        leftovers
    }

    /// Tells an event of the daemon as a whole.
    async fn tell(&self, what: SystemEventType) {
        let event = DaemonEvent::new(
            EventType::System(what),
            EventSource::system("daemon"),
            EventPayload::json(serde_json::json!({
                "vault": self.location.vault_name(),
                "role": self.role.name(),
            })),
        );
        if let Err(error) = self.core.route_event(event).await {
            tracing::debug!(%error, "nobody was told");
        }
    }

    /// Returns the store to ask.
    #[must_use]
    pub fn store(&self) -> Arc<dyn DataStore> {
        Arc::new(self.store.clone())
    }

    /// Returns where the API listens; `None` when this process has none.
    #[must_use]
    pub const fn api_address(&self) -> Option<SocketAddr> {
        self.api
    }

    /// Returns which vault this is, and where its index lives.
    #[must_use]
    pub const fn location(&self) -> &Location {
        &self.location
    }

    /// Returns a sentence for each part of the index that was found damaged, moved aside and is
    /// built again.
    #[must_use]
    pub fn recovered(&self) -> Vec<String> {
        self.store.recovered()
    }
}

async fn take_lock(location: &Location, role: Role) -> Result<InstanceLock, StartError> {
    let (location, instance) = (location.clone(), instance(role, None));
    let taken =
        tokio::task::spawn_blocking(move || InstanceLock::acquire(&location, &instance)).await;
    taken.map_or(Err(StartError::Stopped), |taken| Ok(taken?))
}

fn instance(role: Role, api: Option<SocketAddr>) -> Instance {
    Instance {
        pid: std::process::id(),
        role: role.name().to_owned(),
        api,
        version: VERSION.to_owned(),
    }
}

fn api_service(
    listener: TcpListener,
    location: &Location,
    core: &CrucibleCore,
    store: &Store,
    mcp: Option<&Arc<McpService>>,
) -> ApiService {
    let vault = VaultInfo {
        name: location.vault_name(),
        path: location.vault().to_owned(),
        index_dir: location.index_dir(),
    };
    let access = AccessControl::open();
    let parts = ApiParts {
        mcp: mcp.map(|mcp| Router::new().fallback_service(mcp.http_service())),
        ..ApiParts::new(core.clone(), Arc::new(store.clone()), vault, access)
    };
    ApiService::new(ApiConfig::default(), parts, listener)
}
