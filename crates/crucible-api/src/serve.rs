//! Accepts connections and answers on them until asked to end.
//!
//! Every connection is a task of one owner. Ending has steps: no more connections are accepted,
//! event streams end, requests that are being answered may finish, and what is left at the
//! deadline is cut.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use crucible_services::tasks::TaskOwner;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request; the standing-by time of a
/// connection that is kept open counts too.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
/// How long to wait after the system refused a connection, as when files are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One run of the server.
pub(crate) struct Server {
    /// Where connections come in.
    pub(crate) listener: TcpListener,
    /// Answers requests.
    pub(crate) router: Router,
    /// How many connections may be open.
    pub(crate) connections_max: usize,
    /// How long to wait for requests that are being answered.
    pub(crate) drain_deadline: Duration,
    /// Cancelled to end in order; event streams watch it too.
    pub(crate) closing: CancellationToken,
    /// Owns the connections; its token cuts them.
    pub(crate) connections: TaskOwner,
}

impl Server {
    /// Serves until `closing` or the owner's token is cancelled, and returns once no connection is
    /// left.
    pub(crate) async fn run(self) {
        let permits = Arc::new(Semaphore::new(self.connections_max));
        let cut = self.connections.token().clone();
        loop {
            let accepted = tokio::select! {
                () = self.closing.cancelled() => break,
                () = cut.cancelled() => break,
                accepted = accept(&self.listener, &permits) => accepted,
            };
            match accepted {
                Ok((stream, permit)) => self.serve(stream, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        self.closing.cancel();
        let drained = permits.acquire_many(saturating_u32(self.connections_max));
        tokio::select! {
            _ = tokio::time::timeout(self.drain_deadline, drained) => {}
            () = cut.cancelled() => {}
        }
        if let Err(left) = self.connections.shutdown(self.drain_deadline).await {
            tracing::error!(
                count = left.len(),
                "connections did not end when they were cut"
            );
        }
    }

    fn serve(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let service = TowerToHyperService::new(self.router.clone());
        let closing = self.closing.clone();
        let cut = self.connections.token().clone();
        self.connections.spawn("connection", async move {
            let _permit = permit;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_DEADLINE)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = cut.cancelled() => return,
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = cut.cancelled() => return,
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }
}

/// Waits for a free place first, so that no more connections are taken than can be served.
///
/// # Cancel safety
/// A connection is either returned or still in the system's queue.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Events are small and must not wait for more.
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
