//! What a service offers: a lifecycle to its supervisor, capabilities to its callers.
//!
//! [`ServiceLifecycle`] is what the coordinator needs and nothing more. The four capabilities
//! ([`DataStore`], [`InferenceEngine`], [`ScriptEngine`], [`McpGateway`]) stand apart from it and
//! are object-safe, so that a caller holds an `Arc<dyn DataStore>` and does not know whether the
//! store is in this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::events::{DaemonEvent, EventFilter, EventPublisher};
use crate::health::ServiceHealth;
use crate::tasks::TaskOwner;

pub use crate::attachments::Attachments;
pub use crate::configuration::Configuration;
pub use crate::data_store::DataStore;
pub use crate::inference::InferenceEngine;
pub use crate::mcp::{McpGateway, ToolProvider};
pub use crate::note_index::{NoteIndex, NoteSource};
pub use crate::note_writer::NoteWriter;
pub use crate::script::ScriptEngine;
pub use crate::state_store::StateStore;

/// A unit that the coordinator starts, watches, heals and stops.
///
/// All methods take `&self`: a service lives behind an `Arc` and keeps its own state. A panic in
/// any of them is caught by the caller and counts as a failure. `start` after `stop` must work.
#[async_trait]
pub trait ServiceLifecycle: Send + Sync + 'static {
    /// Returns the name, unique within a core.
    fn name(&self) -> &str;

    /// Returns the version, for people.
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Returns what sort of service this is.
    fn kind(&self) -> ServiceKind;

    /// Returns the names of the services that must be running before this one starts.
    fn dependencies(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns which events the service wants when they name no target. None by default.
    fn subscriptions(&self) -> Vec<EventFilter> {
        Vec::new()
    }

    /// Starts the service. When this returns `Ok` the service is ready for work.
    ///
    /// # Errors
    /// When the service cannot start; the supervisor may try again.
    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError>;

    /// Stops the service: refuse new work, finish what was accepted, give everything back.
    ///
    /// Tasks spawned through the context are cancelled and joined by the supervisor afterwards.
    ///
    /// # Errors
    /// When something could not be given back; the service counts as stopped all the same.
    async fn stop(&self) -> Result<(), ServiceError>;

    /// Says how well the service can do its work, by doing a little of it.
    ///
    /// # Errors
    /// When the check itself failed, which counts as unhealthy.
    async fn health_check(&self) -> Result<ServiceHealth, ServiceError>;

    /// Handles one event. The default accepts and ignores it.
    ///
    /// # Errors
    /// When the event could not be handled; it is counted against the service.
    async fn handle_event(&self, event: &DaemonEvent) -> Result<(), ServiceError> {
        let _ = event;
        Ok(())
    }

    /// Takes over another configuration section, or refuses it and keeps the old one.
    ///
    /// # Errors
    /// When the section is refused. The default refuses all: nothing can be changed live.
    async fn configure(&self, section: &Value) -> Result<(), ServiceError> {
        let _ = section;
        Err(ServiceError::Refused(
            "the service has nothing that can be changed live".to_owned(),
        ))
    }
}

/// What a service is given when it starts; valid until it has stopped.
#[derive(Clone, Debug)]
pub struct ServiceContext {
    /// Owns the background tasks of this run; cancelled and joined when the service stops.
    pub tasks: TaskOwner,
    /// Where to tell events.
    pub events: Arc<dyn EventPublisher>,
}

/// The sorts of services.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ServiceKind {
    /// Records, full text, vectors, links.
    DataStore,
    /// Embeddings and text generation.
    InferenceEngine,
    /// Scripts.
    ScriptEngine,
    /// Tools, resources and prompts for AI agents.
    McpGateway,
    /// Any other, by name.
    Custom(String),
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DataStore => "data_store",
            Self::InferenceEngine => "inference_engine",
            Self::ScriptEngine => "script_engine",
            Self::McpGateway => "mcp_gateway",
            Self::Custom(name) => name,
        })
    }
}

/// Why a service could not do what was asked. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The service did not accept the request; asking again will not help.
    #[error("refused: {0}")]
    Refused(String),
    /// The service cannot do it now; asking again may help.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// Why, in words.
        reason: String,
        /// How long to wait before asking again; `None` when unknown.
        retry_after: Option<Duration>,
    },
    /// Something broke.
    #[error("{0}")]
    Failed(String),
}

impl ServiceError {
    /// Wraps an error, with its chain of causes, as [`ServiceError::Failed`].
    #[must_use]
    pub fn failed(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::Failed(text)
    }
}
