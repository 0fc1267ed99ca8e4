//! Serving clients over streamable HTTP, both eras at one address.
//!
//! The SDK's service does the protocol. Around it stand the bounds that it lacks: nothing is
//! read from a request before its `Host` and `Origin` are known to be this machine's, a body has
//! to arrive within a deadline, only so many requests are worked on at a time, and a body that is
//! no message is answered with the JSON-RPC error that says why.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Via};
use crate::gateway::Gateway;
use crate::host;
use crate::sessions::BoundedSessions;

/// How long the body of a request may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(15);
/// How much longer than a tool call a request may take until its answer begins.
const ANSWER_SLACK: Duration = Duration::from_secs(15);

/// Streamable HTTP as a [`tower::Service`], to be mounted at a path such as `/mcp`.
///
/// Cheap to clone. Answers 503 while the gateway is stopped.
#[derive(Clone)]
pub struct HttpService {
    shared: Arc<HttpShared>,
}

impl std::fmt::Debug for HttpService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpService").finish_non_exhaustive()
    }
}

/// What all clones have in common.
pub(crate) struct HttpShared {
    gateway: Arc<Gateway>,
    permits: Semaphore,
    run: Mutex<Option<Run>>,
}

/// The time from one start to the stop after it.
#[derive(Clone)]
struct Run {
    service: StreamableHttpService<Connection, BoundedSessions>,
    sessions: Arc<BoundedSessions>,
    /// Ends all streams.
    token: CancellationToken,
}

impl HttpShared {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        let run = Run::new(&gateway);
        Self {
            permits: Semaphore::new(gateway.config.http_requests_max.max(1)),
            run: Mutex::new(Some(run)),
            gateway,
        }
    }

    /// Takes requests from now on; nothing changes when it does so already.
    pub(crate) fn open(&self) {
        self.run().get_or_insert_with(|| Run::new(&self.gateway));
    }

    /// Ends all streams and sessions and refuses requests from now on.
    pub(crate) async fn close(&self) {
        let run = self.run().take();
        if let Some(run) = run {
            run.sessions.close_all().await;
            run.token.cancel();
        }
    }

    /// Returns how many legacy sessions there are.
    pub(crate) fn sessions(&self) -> usize {
        self.run().as_ref().map_or(0, |run| run.sessions.count())
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn new(gateway: &Arc<Gateway>) -> Self {
        let token = CancellationToken::new();
        let config = &gateway.config;
        let sessions = Arc::new(BoundedSessions::new(
            config.sessions_max,
            config.session_idle_max,
        ));
        let settings = StreamableHttpServerConfig::default()
            .with_allowed_hosts(host::LOOPBACK_NAMES)
            .with_allowed_origins(host::loopback_origins())
            .enforce_origin_validation()
            .with_json_response(true)
            .with_max_request_body_bytes(config.message_size_max_bytes)
            .with_cancellation_token(token.clone());
        let gateway = Arc::clone(gateway);
        let connect = move || Ok(Connection::new(Arc::clone(&gateway), Via::Http));
        Self {
            service: StreamableHttpService::new(connect, Arc::clone(&sessions), settings),
            sessions,
            token,
        }
    }
}

impl HttpService {
    pub(crate) const fn new(shared: Arc<HttpShared>) -> Self {
        Self { shared }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let Some(run) = self.shared.run().clone() else {
            return later("the MCP gateway is stopped; try again in a few seconds");
        };
        let Ok(_permit) = self.shared.permits.try_acquire() else {
            return later("as many MCP requests as may be are being worked on; try again");
        };
        let deadline = self.shared.gateway.config.call_deadline;
        let deadline = deadline.saturating_add(ANSWER_SLACK);
        match tokio::time::timeout(deadline, self.exchange(&run, request)).await {
            Ok(response) => response,
            Err(_elapsed) => later("the request took too long"),
        }
    }

    async fn exchange(&self, run: &Run, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_known =
            host::is_loopback(&parts.uri, &parts.headers) && host::is_own_page(&parts.headers);
        // From a stranger nothing is read: the SDK refuses it by its headers.
        let bytes = if is_known && parts.method == Method::POST {
            match self.read(body).await {
                Ok(bytes) => bytes,
                Err(refusal) => return refusal,
            }
        } else {
            Bytes::new()
        };
        let is_end = parts.method == Method::DELETE;
        let is_missing = is_known && ends_missing_session(run, &parts).await;
        let request = Request::from_parts(parts, Body::from(bytes.clone()));
        let response = run.service.handle(request).await;
        if is_end && response.status().is_success() {
            return session_ended(is_missing);
        }
        // The SDK answers 415 for a wrong content type and for a body that is no message.
        if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && let Some(fault) = unreadable(&bytes)
        {
            return fault;
        }
        response.map(Body::new)
    }

    /// Reads a whole body, not more than a message may have and not longer than a while.
    async fn read(&self, body: Body) -> Result<Bytes, Response<Body>> {
        let size_max = self.shared.gateway.config.message_size_max_bytes;
        let collected = Limited::new(body, size_max).collect();
        match tokio::time::timeout(BODY_DEADLINE, collected).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(rpc_error(
                StatusCode::PAYLOAD_TOO_LARGE,
                -32600,
                &format!("the body is larger than {size_max} bytes"),
            )),
            Ok(Err(_)) => Err(rpc_error(
                StatusCode::BAD_REQUEST,
                -32600,
                "the body broke off",
            )),
            Err(_elapsed) => Err(rpc_error(
                StatusCode::REQUEST_TIMEOUT,
                -32600,
                "the body did not arrive within 15 s",
            )),
        }
    }
}

/// Says whether the request ends a session that is not there, which the SDK takes for a success.
async fn ends_missing_session(run: &Run, parts: &Parts) -> bool {
    let id = parts
        .headers
        .get("mcp-session-id")
        .and_then(|id| id.to_str().ok());
    match id {
        Some(id) if parts.method == Method::DELETE => {
            !run.sessions.has_session(&id.into()).await.unwrap_or(false)
        }
        _ => false,
    }
}

/// The SDK accepts (202) the end of any session; clients want to read that it has ended.
fn session_ended(was_missing: bool) -> Response<Body> {
    if was_missing {
        return rpc_error(StatusCode::NOT_FOUND, -32600, "there is no such session");
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Returns the answer to a body that is no message; `None` when it is one.
fn unreadable(body: &[u8]) -> Option<Response<Body>> {
    let (code, text) = match serde_json::from_slice::<serde_json::Value>(body) {
        Err(error) => (-32700, format!("the body is not JSON: {error}")),
        Ok(value) if value.is_array() => (
            -32600,
            "batches are not part of the protocol; send one message a request".to_owned(),
        ),
        Ok(_) => {
            let parsed = serde_json::from_slice::<rmcp::model::ClientJsonRpcMessage>(body);
            let Err(error) = parsed else { return None };
            (
                -32600,
                format!("the body is not a JSON-RPC 2.0 message: {error}"),
            )
        }
    };
    Some(rpc_error(StatusCode::BAD_REQUEST, code, &text))
}

fn later(text: &str) -> Response<Body> {
    let mut response = rpc_error(StatusCode::SERVICE_UNAVAILABLE, -32603, text);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

fn rpc_error(status: StatusCode, code: i32, text: &str) -> Response<Body> {
    let body = json!({ "jsonrpc": "2.0", "error": { "code": code, "message": text } });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

impl tower::Service<Request<Body>> for HttpService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}
