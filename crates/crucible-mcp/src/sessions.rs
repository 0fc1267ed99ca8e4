//! Sessions of the legacy era over HTTP, with a bound on how many there are.
//!
//! Many clients open a session for each task and never end it. When one more than the bound is
//! opened, the session that was used the longest ago ends: its client, if it still lives, gets
//! status 404 and begins again, as the protocol asks of it. Refusing the new one instead would
//! lock everybody out until the forgotten ones have timed out.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};
use tokio::time::Instant;

type Result<T> = std::result::Result<T, LocalSessionManagerError>;

/// The SDK's sessions in memory, at most so many.
#[derive(Debug)]
pub(crate) struct BoundedSessions {
    inner: LocalSessionManager,
    sessions_max: usize,
    used: Mutex<HashMap<SessionId, Instant>>,
}

impl BoundedSessions {
    pub(crate) fn new(sessions_max: usize, idle_max: Duration) -> Self {
        let mut inner = LocalSessionManager::default();
        inner.session_config.keep_alive = Some(idle_max);
        Self {
            inner,
            sessions_max: sessions_max.max(1),
            used: Mutex::default(),
        }
    }

    /// Returns how many sessions there are.
    pub(crate) fn count(&self) -> usize {
        self.used().len()
    }

    /// Ends all sessions.
    pub(crate) async fn close_all(&self) {
        let all: Vec<SessionId> = self.used().keys().cloned().collect();
        for id in all {
            self.end(&id).await;
        }
    }

    /// Notes that the session is used now.
    fn touch(&self, id: &SessionId) {
        if let Some(used) = self.used().get_mut(id) {
            *used = Instant::now();
        }
    }

    async fn end(&self, id: &SessionId) {
        if let Err(error) = self.close_session(id).await {
            tracing::debug!(%error, "a session did not end cleanly");
        }
    }

    /// Returns the session to end when there are too many.
    fn oldest_over_bound(&self) -> Option<SessionId> {
        let used = self.used();
        if used.len() <= self.sessions_max {
            return None;
        }
        let oldest = used.iter().min_by_key(|(_, used)| **used)?;
        Some(oldest.0.clone())
    }

    fn used(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Instant>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionManager for BoundedSessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport)> {
        let (id, transport) = self.inner.create_session().await?;
        self.used().insert(id.clone(), Instant::now());
        while let Some(oldest) = self.oldest_over_bound() {
            self.end(&oldest).await;
        }
        Ok((id, transport))
    }

    fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<ServerJsonRpcMessage>> + Send {
        self.inner.initialize_session(id, message)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool> {
        self.touch(id);
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<()> {
        self.used().remove(id);
        self.inner.close_session(id).await
    }

    fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static>> + Send
    {
        self.inner.create_stream(id, message)
    }

    fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<()>> + Send {
        self.inner.accept_message(id, message)
    }

    fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> impl Future<Output = Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static>> + Send
    {
        self.inner.create_standalone_stream(id)
    }

    fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> impl Future<Output = Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static>> + Send
    {
        self.inner.resume(id, last_event_id)
    }
}
