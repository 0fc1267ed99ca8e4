//! JSON-RPC messages as lines over a pair of pipes, with every length and number bounded.
//!
//! The SDK has such a transport too. This one answers what that one drops in silence (a line that
//! is no JSON, one that is too long, parameters of the wrong form), reads no further while too
//! many requests wait for their answers, refuses an id that is in use, and keeps a notification
//! that comes before the handshake from ending the connection.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use futures_util::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, GetMeta as _,
    ProtocolVersion, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::connection::misread;

/// How many requests may wait for their answers before no more are read. Above the number of
/// calls that the gateway lets in, so that a client is told that it is too busy.
const UNANSWERED_MAX: usize = 128;

/// Messages over a pair of pipes.
pub(crate) struct Lines<R, W> {
    read: BufReader<R>,
    /// What has been read of the current line.
    line: Vec<u8>,
    line_size_max: usize,
    /// True while the rest of a line that is too long is skipped.
    is_skipping: bool,
    is_at_end: bool,
    /// True once the SDK has decided which era the client speaks.
    is_open: bool,
    /// An answer of this transport itself that is being written.
    reply: Option<BoxFuture<'static, io::Result<()>>>,
    writer: Writer<W>,
}

/// The side that writes, shared by all answers under way.
struct Writer<W> {
    pipe: Arc<Mutex<W>>,
    unanswered: Arc<Unanswered>,
    /// Is cancelled when nothing more is to be written.
    closed: CancellationToken,
}

/// The requests that wait for their answers.
#[derive(Debug, Default)]
struct Unanswered {
    ids: StdMutex<HashSet<RequestId>>,
    fewer: Notify,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(crate) fn new(read: R, write: W, line_size_max: usize) -> Self {
        Self {
            read: BufReader::new(read),
            line: Vec::new(),
            line_size_max,
            is_skipping: false,
            is_at_end: false,
            is_open: false,
            reply: None,
            writer: Writer {
                pipe: Arc::new(Mutex::new(write)),
                unanswered: Arc::default(),
                closed: CancellationToken::new(),
            },
        }
    }

    /// Reads up to the end of a line or of the input. True when `line` holds a whole line, false
    /// when a line was too long; `None` at the end.
    ///
    /// # Cancel safety
    /// What has been read stays in `line`.
    async fn read_line(&mut self) -> io::Result<Option<bool>> {
        while !self.is_at_end {
            let piece = self.read.fill_buf().await?;
            if piece.is_empty() {
                self.is_at_end = true;
                // A last line without its end is taken all the same, unless it is cut short.
                return Ok((!self.line.is_empty() && !self.is_skipping).then_some(true));
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(piece.len(), |end| end + 1);
            let is_too_long = self.line.len() + taken > self.line_size_max;
            if !self.is_skipping && !is_too_long {
                self.line.extend_from_slice(&piece[..taken]);
            }
            self.read.consume(taken);
            if is_too_long && !self.is_skipping {
                self.line = Vec::new();
                self.is_skipping = end.is_none();
                return Ok(Some(false));
            }
            if end.is_some() {
                if !self.is_skipping {
                    return Ok(Some(true));
                }
                self.is_skipping = false;
            }
        }
        Ok(None)
    }

    /// Takes the line that was read; `None` when it is nothing for the SDK.
    fn take_line(&mut self) -> Option<ClientJsonRpcMessage> {
        let line = std::mem::take(&mut self.line);
        let text = line.trim_ascii();
        if text.is_empty() {
            return None;
        }
        match serde_json::from_slice::<ClientJsonRpcMessage>(text) {
            Ok(message) => self.admit(message),
            Err(error) => {
                if let Some(fault) = unreadable(text, &error) {
                    self.reply_with(fault, None);
                }
                None
            }
        }
    }

    /// Decides whether a message goes to the SDK, and answers it here if not.
    fn admit(&mut self, message: ClientJsonRpcMessage) -> Option<ClientJsonRpcMessage> {
        match &message {
            ClientJsonRpcMessage::Request(request) => {
                let id = request.id.clone();
                if let ClientRequest::CustomRequest(custom) = &request.request
                    && (misread(&custom.method).code == rmcp::model::ErrorCode::INVALID_PARAMS
                        || !self.is_open)
                {
                    self.reply_with(misread(&custom.method), Some(id));
                    return None;
                }
                if !self.writer.unanswered.insert(id.clone()) {
                    let text = format!("the id {id} belongs to a request that is not answered yet");
                    self.reply_with(ErrorData::invalid_request(text, None), Some(id));
                    return None;
                }
                self.is_open |= opens(&request.request);
            }
            _ if !self.is_open => return None,
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    // The SDK sends no answer to a request that was taken back.
                    self.writer.unanswered.remove(id);
                }
            }
            ClientJsonRpcMessage::Response(_) | ClientJsonRpcMessage::Error(_) => {}
        }
        Some(message)
    }

    fn reply_with(&mut self, error: ErrorData, id: Option<RequestId>) {
        let message = ServerJsonRpcMessage::error(error, id);
        self.reply = Some(Box::pin(self.writer.write(message, false)));
    }
}

/// Says whether the SDK, which has seen no other opening request, takes this one as such.
fn opens(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28)
                .is_empty()
                && meta
                    .protocol_version()
                    .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

/// Returns the answer to a line that is no message; none to a notification, known or not.
fn unreadable(line: &[u8], error: &serde_json::Error) -> Option<ErrorData> {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else {
        return Some(ErrorData::parse_error(
            format!("the line is not JSON: {error}"),
            None,
        ));
    };
    if value.is_array() {
        return Some(ErrorData::invalid_request(
            "batches are not part of the protocol; send one message a line",
            None,
        ));
    }
    let is_notification = value.get("method").is_some() && value.get("id").is_none();
    (!is_notification)
        .then(|| ErrorData::invalid_request("the line is not a JSON-RPC 2.0 message", None))
}

impl<W: AsyncWrite + Send + Unpin + 'static> Writer<W> {
    /// Writes one message; `is_answer` when it settles the request of its id.
    fn write(
        &self,
        message: ServerJsonRpcMessage,
        is_answer: bool,
    ) -> impl Future<Output = io::Result<()>> + Send + use<W> {
        let pipe = Arc::clone(&self.pipe);
        let unanswered = Arc::clone(&self.unanswered);
        let closed = self.closed.clone();
        async move {
            let answered = match &message {
                ServerJsonRpcMessage::Response(response) => Some(response.id.clone()),
                ServerJsonRpcMessage::Error(error) => error.id.clone(),
                _ => None,
            };
            let written = tokio::select! {
                biased;
                written = write_line(&pipe, &message) => written,
                () = closed.cancelled() => Err(io::ErrorKind::NotConnected.into()),
            };
            if let Some(id) = answered.filter(|_| is_answer) {
                unanswered.remove(&id);
            }
            if written.is_err() {
                closed.cancel();
            }
            written
        }
    }
}

async fn write_line<W: AsyncWrite + Unpin>(
    pipe: &Mutex<W>,
    message: &ServerJsonRpcMessage,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut pipe = pipe.lock().await;
    pipe.write_all(&line).await?;
    pipe.flush().await
}

impl Unanswered {
    /// Returns false when the id is there already.
    fn insert(&self, id: RequestId) -> bool {
        self.ids().insert(id)
    }

    fn remove(&self, id: &RequestId) {
        if self.ids().remove(id) {
            self.fewer.notify_one();
        }
    }

    async fn wait_until_few(&self) {
        while self.ids().len() >= UNANSWERED_MAX {
            self.fewer.notified().await;
        }
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, HashSet<RequestId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.writer.write(message, true)
    }

    /// Returns the next message; `None` at the end of the input or when writing has failed.
    ///
    /// # Cancel safety
    /// All state lives in `self`, so that nothing is lost when the future is dropped.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let closed = self.writer.closed.clone();
        loop {
            if let Some(reply) = &mut self.reply {
                let written = reply.await;
                self.reply = None;
                if written.is_err() {
                    return None;
                }
            }
            let unanswered = Arc::clone(&self.writer.unanswered);
            let read = tokio::select! {
                biased;
                () = closed.cancelled() => return None,
                read = async {
                    unanswered.wait_until_few().await;
                    self.read_line().await
                } => read,
            };
            match read {
                Ok(Some(true)) => {
                    if let Some(message) = self.take_line() {
                        return Some(message);
                    }
                }
                Ok(Some(false)) => {
                    let text = format!("the line is longer than {} bytes", self.line_size_max);
                    self.reply_with(ErrorData::invalid_request(text, None), None);
                }
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(%error, "standard input cannot be read");
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.writer.closed.cancel();
        Ok(())
    }
}
