//! Serving one client over a pair of pipes: standard input and output, as a rule.

use std::sync::Arc;
use std::time::Duration;

use rmcp::service::{QuitReason, ServerInitializeError, serve_server_with_ct};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Via};
use crate::gateway::Gateway;
use crate::lines::Lines;

/// How long the answers under way may take to be written after the end of the input (the SDK
/// gives them 5 s) or after a cancellation (2 s), and everything to be given back.
const END_DEADLINE: Duration = Duration::from_secs(8);

/// Why serving a client ended otherwise than by its leaving. Messages read after "failed to
/// serve MCP: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pipes broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Serves until the client closes its side or `token` is cancelled.
pub(crate) async fn serve<R, W>(
    gateway: Arc<Gateway>,
    read: R,
    write: W,
    token: CancellationToken,
) -> Result<(), Error>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let line_size_max = gateway.config.message_size_max_bytes;
    let lines = Lines::new(read, write, line_size_max);
    let connection = Connection::new(gateway, Via::Stdio);
    // The SDK cancels the token that it is given when the connection ends.
    let inner = token.child_token();
    let running = match serve_server_with_ct(connection, lines, inner).await {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            return Ok(());
        }
        Err(error) => return Err(Error::Broken(error.to_string())),
    };
    let waiting = running.waiting();
    tokio::pin!(waiting);
    let ended = tokio::select! {
        ended = &mut waiting => ended,
        () = token.cancelled() => match tokio::time::timeout(END_DEADLINE, waiting).await {
            Ok(ended) => ended,
            Err(_elapsed) => {
                tracing::warn!("the last answers were not taken within 8 s and are dropped");
                return Ok(());
            }
        },
    };
    match ended {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(Error::Broken(error.to_string())),
        Ok(_) => Ok(()),
    }
}
