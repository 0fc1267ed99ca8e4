//! Accepts connections and answers on them until asked to end.
//!
//! One port speaks HTTP/1 and, to clients that begin with it, HTTP/2, which gRPC needs. Every
//! connection is a task of one owner, and so is every stream of HTTP/2. Ending has steps: no more connections are accepted,
//! event streams end, requests that are being answered may finish, and what is left at the
//! deadline is cut.

mod protocol;

use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use crucible_services::tasks::TaskOwner;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request; the standing-by time of a
/// connection that is kept open counts too.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
/// How long a client of HTTP/2 may take to answer a ping before its connection is cut.
const PONG_DEADLINE: Duration = Duration::from_secs(20);
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
    /// How many streams one connection of HTTP/2 may have open.
    pub(crate) streams_max: usize,
    /// How often a connection of HTTP/2 is asked whether it lives.
    pub(crate) ping_interval: Duration,
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

    fn serve(&self, mut stream: TcpStream, permit: OwnedSemaphorePermit) {
        let service = TowerToHyperService::new(self.router.clone());
        let ends = Ends {
            closing: self.closing.clone(),
            cut: self.connections.token().clone(),
        };
        let mut http2 = http2::Builder::new(Streams(self.connections.clone()));
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(self.ping_interval)
            .keep_alive_timeout(PONG_DEADLINE)
            .max_concurrent_streams(saturating_u32(self.streams_max));
        self.connections.spawn("connection", async move {
            let _permit = permit;
            let opening = tokio::select! {
                opening = tokio::time::timeout(
                    HEAD_DEADLINE,
                    protocol::read_opening(&mut stream),
                ) => opening,
                () = ends.closing.cancelled() => return,
                () = ends.cut.cancelled() => return,
            };
            let Ok(Ok(opening)) = opening else {
                tracing::debug!("connection ended before its first request");
                return;
            };
            let (reader, writer) = stream.into_split();
            let reader = Cursor::new(opening.read).chain(reader);
            let io = TokioIo::new(tokio::io::join(reader, writer));
            if opening.is_http2 {
                let connection = http2.serve_connection(io, service);
                conduct(connection, http2::Connection::graceful_shutdown, ends).await;
            } else {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_DEADLINE)
                    .serve_connection(io, service);
                conduct(connection, http1::Connection::graceful_shutdown, ends).await;
            }
        });
    }
}

/// What ends a connection: in order, or at once.
struct Ends {
    closing: CancellationToken,
    cut: CancellationToken,
}

/// Answers on one connection until it ends.
async fn conduct<C>(connection: C, close: impl FnOnce(Pin<&mut C>), ends: Ends)
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ends.cut.cancelled() => return,
        () = ends.closing.cancelled() => {
            close(connection.as_mut());
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = ends.cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

/// Answers on the streams of connections of HTTP/2, each a task.
#[derive(Clone)]
struct Streams(TaskOwner);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let cut = self.0.token().clone();
        self.0.spawn("stream", async move {
            tokio::select! {
                () = stream => {}
                () = cut.cancelled() => {}
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
