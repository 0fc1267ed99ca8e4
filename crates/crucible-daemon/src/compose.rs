//! Puts the services together, in order, and takes them apart again.
//!
//! [`Daemon::start`] reads like a table of contents: who is created, what each is handed, and what
//! is registered with the core. Nothing here knows how a service does its work.

mod config;
mod engines;
mod error;
mod following;
mod indexing;
mod link;
mod listener;
mod stdio;
mod vault;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use crucible_api::auth::AccessControl;
use crucible_api::{ApiConfig, ApiParts, ApiService, VaultInfo};
use crucible_core::{CrucibleCore, CrucibleCoreBuilder};
use crucible_mcp::{McpConfig, McpService};
use crucible_services::access::Scope;
use crucible_services::data_store::DataStore;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventSource, EventType, SystemEventType,
};
use crucible_services::service_traits::NoteWriter;
use crucible_store::StoreService;
use tokio::time::Instant;

use crate::instance::{Instance, InstanceLock};
use crate::location::Location;
use crate::settings::live::LiveSettings;
use crate::settings::{Resolved, Sources};
use engines::Engines;
use vault::Vault;

pub use config::{DaemonConfig, Role, Surroundings};
pub use error::StartError;
pub use indexing::{IndexProgress, Indexed};
pub use stdio::serve_mcp;

/// The port of the API when nothing else is said and it is free.
pub const DEFAULT_PORT: u16 = 7437;
/// How long the whole core may take to stop before it is left behind.
const STOP_DEADLINE: Duration = Duration::from_secs(45);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The way in over HTTP.
struct Api {
    address: Option<SocketAddr>,
    access: AccessControl,
}

/// A vault with everything that keeps it indexed and open, under one core.
pub struct Daemon {
    location: Location,
    role: Role,
    core: CrucibleCore,
    vault: Vault,
    mcp: Option<Arc<McpService>>,
    api: Option<Api>,
    begun: Instant,
    /// Last, so that the right to write goes when everything else has gone.
    lock: InstanceLock,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon")
            .field("location", &self.location)
            .field("role", &self.role)
            .field("api", &self.api_address())
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
        let (location, role) = (config.location.clone(), config.role);
        location.create()?;
        let lock = take_lock(&location, role).await?;
        let settings = read_settings(&config.sources).await?;
        let listener = match role {
            Role::Serve => Some(listener::bind(settings.settings.api.listen)?),
            Role::Mcp | Role::Command(_) => None,
        };

        let core = CrucibleCoreBuilder::new()
            .with_config(settings.settings.core.clone())
            .build()
            .await?;
        let vault = Vault::open(&location, role).await?;
        let engines = Engines::assemble(&config, &settings.settings, &vault)?;
        core.register_service(Arc::new(StoreService::new(vault.store.clone())))
            .await?;
        core.register_service(Arc::clone(&vault.service)).await?;
        engines.register(&core).await?;
        let mut mcp = None;
        if role.stays() {
            let service = Arc::new(mcp_gateway(&location, &vault, &engines));
            core.register_service(Arc::clone(&service)).await?;
            mcp = Some(service);
        }
        let mut api = None;
        if let Some(listener) = listener {
            let access = if settings.settings.api.authentication {
                AccessControl::new(vault.state.clone())
            } else {
                AccessControl::open()
            };
            let live = LiveSettings::new(config.sources, settings, core.clone());
            let parts = ApiParts {
                mcp: mcp.as_ref().map(|mcp| {
                    let mcp: &McpService = mcp;
                    Router::new().fallback_service(mcp.http_service())
                }),
                attachments: Some(Arc::new(vault.store.clone())),
                writer: vault.writer.clone(),
                inference: engines.inference(),
                scripts: engines.scripts(),
                configuration: Some(Arc::new(live)),
                ..ApiParts::new(
                    core.clone(),
                    Arc::new(vault.store.clone()),
                    vault_info(&location),
                    access.clone(),
                )
            };
            api = Some(Api {
                address: listener.local_addr().ok(),
                access,
            });
            let service = ApiService::new(ApiConfig::default(), parts, listener);
            core.register_service(Arc::new(service)).await?;
        }
        Ok(Self {
            location,
            role,
            core,
            vault,
            mcp,
            api,
            begun,
            lock,
        })
    }

    async fn begin(&self) -> Result<(), StartError> {
        self.core.start().await?;
        if let Some(api) = &self.api
            && !api.access.is_open()
        {
            // Before the address is told: whoever reads it finds the token as well.
            let secret = api.access.issue("this machine", Scope::ALL)?;
            self.lock.leave_token(secret.reveal())?;
        }
        self.lock
            .describe(&instance(self.role, self.api_address()))?;
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
        leftovers.extend(self.vault.close().await);
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
        Arc::new(self.vault.store.clone())
    }

    /// Returns who changes notes; `None` for a process that does not stay.
    #[must_use]
    pub fn writer(&self) -> Option<Arc<dyn NoteWriter>> {
        self.vault.writer.clone()
    }

    /// Returns where the API listens; `None` when this process has none.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().and_then(|api| api.address)
    }

    /// Makes a link that lets a browser in as the owner, once and soon; the plain address where
    /// nobody has to be let in; `None` when this process has no API.
    #[must_use]
    pub fn dashboard_link(&self) -> Option<String> {
        let api = self.api.as_ref()?;
        let address = api.address?;
        Some(match api.access.login_code() {
            Ok(code) => format!("http://{address}{}", code.path),
            Err(_open) => format!("http://{address}/"),
        })
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
        self.vault.store.recovered()
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

fn vault_info(location: &Location) -> VaultInfo {
    VaultInfo {
        name: location.vault_name(),
        path: location.vault().to_owned(),
        index_dir: location.index_dir(),
    }
}

fn mcp_gateway(location: &Location, vault: &Vault, engines: &Engines) -> McpService {
    let config = McpConfig::new(location.vault_name());
    let mut service = McpService::new(config, Arc::new(vault.store.clone()));
    if let Some(writer) = &vault.writer {
        service = service.with_writer(Arc::clone(writer));
    }
    if let Some(tools) = engines.tools() {
        service = service.with_tools(tools);
    }
    service
}

async fn read_settings(sources: &Sources) -> Result<Resolved, StartError> {
    let sources = sources.clone();
    tokio::task::spawn_blocking(move || sources.resolve())
        .await
        .map_or(Err(StartError::Stopped), |read| Ok(read?))
}
