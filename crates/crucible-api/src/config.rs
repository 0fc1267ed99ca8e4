//! What the API is told: its bounds, and the parts it gives access to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crucible_core::CrucibleCore;
use crucible_services::service_traits::{
    Attachments, Configuration, DataStore, InferenceEngine, NoteWriter, ScriptEngine,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::AccessControl;

/// The bounds of the API. [`ApiConfig::default`] has values for one person's machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiConfig {
    /// How long one request may take before it is answered with 503; 30 s. Event streams and
    /// `/mcp` have no such deadline.
    pub request_deadline: Duration,
    /// How many requests are answered side by side; more get 503; 64.
    pub requests_max: usize,
    /// How many event streams may be open; more get 503; 32.
    pub streams_max: usize,
    /// How many connections may be open; more wait in the system's queue; 512.
    pub connections_max: usize,
    /// The largest request body, in bytes; more gets 413; 64 KiB. `/mcp` has a bound of its own.
    pub body_bytes_max: usize,
    /// The largest body of a request that carries a note, in bytes; more gets 413; 32 MiB.
    pub note_bytes_max: usize,
    /// The largest body of a request under `/v1`, in bytes; more gets 413; 16 MiB.
    pub inference_bytes_max: usize,
    /// How many requests under `/v1` are answered side by side; more get 503; 16. Generations
    /// that come piece by piece count as event streams from their first piece on.
    pub inferences_max: usize,
    /// How long a request under `/v1` may take, to its first piece where it is answered piece by
    /// piece; 10 min.
    pub inference_deadline: Duration,
    /// How often a silent event stream sends a comment, so that both ends notice a dead one; 15 s.
    pub keep_alive: Duration,
    /// How long a stop waits for requests that are being answered; 10 s.
    pub drain_deadline: Duration,
    /// Whether people reach the API through TLS, ended by something else on this machine: origins
    /// are `https` then, and cookies are never sent without it; false.
    pub tls: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            request_deadline: Duration::from_secs(30),
            requests_max: 64,
            streams_max: 32,
            connections_max: 512,
            body_bytes_max: 64 * 1024,
            note_bytes_max: 32 * 1024 * 1024,
            inference_bytes_max: 16 * 1024 * 1024,
            inferences_max: 16,
            inference_deadline: Duration::from_secs(600),
            keep_alive: Duration::from_secs(15),
            drain_deadline: Duration::from_secs(10),
            tls: false,
        }
    }
}

/// The vault that the daemon serves, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VaultInfo {
    /// What people call it: the folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Where its index is kept.
    pub index_dir: PathBuf,
}

/// What the API gives access to.
#[derive(Clone)]
pub struct ApiParts {
    /// Services, health, metrics and events.
    pub core: CrucibleCore,
    /// Notes.
    pub store: Arc<dyn DataStore>,
    /// Pictures of the vault; `None` where they cannot be read.
    pub attachments: Option<Arc<dyn Attachments>>,
    /// What is served.
    pub vault: VaultInfo,
    /// Answers everything at and below `/mcp`; `None` leaves that path unknown. It bounds bodies
    /// and times itself.
    pub mcp: Option<axum::Router>,
    /// Changes notes; `None` where they cannot be changed.
    pub writer: Option<Arc<dyn NoteWriter>>,
    /// Embeddings and text generation; `None` where there is no engine.
    pub inference: Option<Arc<dyn InferenceEngine>>,
    /// Scripts; `None` where there is no engine.
    pub scripts: Option<Arc<dyn ScriptEngine>>,
    /// The settings in force; `None` where they cannot be shown.
    pub configuration: Option<Arc<dyn Configuration>>,
    /// Who may ask.
    pub access: AccessControl,
}

impl ApiParts {
    /// Gives access to a core and a store, and to nothing else yet.
    #[must_use]
    pub fn new(
        core: CrucibleCore,
        store: Arc<dyn DataStore>,
        vault: VaultInfo,
        access: AccessControl,
    ) -> Self {
        Self {
            core,
            store,
            attachments: None,
            vault,
            mcp: None,
            writer: None,
            inference: None,
            scripts: None,
            configuration: None,
            access,
        }
    }
}

impl std::fmt::Debug for ApiParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiParts")
            .field("vault", &self.vault)
            .field("attachments", &self.attachments.is_some())
            .field("mcp", &self.mcp.is_some())
            .field("writer", &self.writer.is_some())
            .field("inference", &self.inference.is_some())
            .field("scripts", &self.scripts.is_some())
            .field("configuration", &self.configuration.is_some())
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
