//! What every handler can reach, for one run of the API.

use std::ops::Deref;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::{ApiConfig, ApiParts};
use crate::openapi;
use crate::route::{Gates, Route};

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Shared>);

/// The fields of [`ApiState`].
pub(crate) struct Shared {
    /// What the API gives access to.
    pub(crate) parts: ApiParts,
    /// The bounds.
    pub(crate) config: ApiConfig,
    /// The port that is listened on; `None` when there is no socket.
    pub(crate) port: Option<u16>,
    /// Cancelled when the API closes: event streams end then.
    pub(crate) closing: CancellationToken,
    /// What stands before each route.
    pub(crate) gates: Gates,
    /// What `openapi.json` answers.
    pub(crate) description: Bytes,
    /// One permit for each request that is being answered.
    pub(crate) requests: Arc<Semaphore>,
    /// One permit for each request under `/v1` that is being answered.
    pub(crate) inferences: Arc<Semaphore>,
    /// One permit for each open event stream.
    pub(crate) streams: Arc<Semaphore>,
}

impl ApiState {
    pub(crate) fn new(
        config: ApiConfig,
        parts: ApiParts,
        routes: &[Route],
        port: Option<u16>,
        closing: CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared {
            requests: Arc::new(Semaphore::new(config.requests_max)),
            inferences: Arc::new(Semaphore::new(config.inferences_max)),
            streams: Arc::new(Semaphore::new(config.streams_max)),
            parts,
            gates: Gates::new(routes),
            description: openapi::describe(routes).to_string().into(),
            config,
            port,
            closing,
        }))
    }
}

impl Deref for ApiState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
