//! One exchange with deadlines: bytes to a typed answer or to a typed error.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use crate::auth::Secret;
use crate::error::ErrorBody;

/// How long the daemon may take to accept a connection; it is on this machine.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// How long the whole answer may take. The daemon gives up at 30 s by itself and says so, which
/// is worth a moment more.
const REQUEST_DEADLINE: Duration = Duration::from_secs(31);
/// How long an idle connection is kept; shorter than the daemon keeps it.
const IDLE_DEADLINE: Duration = Duration::from_secs(20);
/// The largest answer, in bytes: more than any note becomes as JSON that is not made to be large.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A pool of connections to one daemon, and the token that is sent with every request.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) address: SocketAddr,
    token: Option<Secret>,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

impl Http {
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_DEADLINE));
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_DEADLINE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self {
            address,
            token: None,
            pool,
        }
    }

    pub(super) fn with_token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// Asks for `target`, a path with a query string that is percent-encoded already.
    pub(super) async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Error> {
        self.send(Method::GET, target, None).await
    }

    /// Sends a request without a body.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
    ) -> Result<T, Error> {
        self.send(method, target, None).await
    }

    /// Sends a request with a JSON body.
    pub(super) async fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|error| Error::NotSent {
            reason: format!("the request cannot be written as JSON: {error}"),
        })?;
        self.send(method, target, Some(body.into())).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Option<Bytes>,
    ) -> Result<T, Error> {
        let request = self.request(method, target, body)?;
        let exchange = async { self.read(self.exchange(request).await?).await };
        match tokio::time::timeout(REQUEST_DEADLINE, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(self.silent()),
        }
    }

    /// Asks for a stream, whose head must come in time and whose rest may take forever.
    pub(super) async fn open(
        &self,
        target: &str,
        more: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Incoming, Error> {
        let mut request = self.request(Method::GET, target, None)?;
        let event_stream = HeaderValue::from_static("text/event-stream");
        request.headers_mut().insert(ACCEPT, event_stream);
        request.headers_mut().extend(more);
        match tokio::time::timeout(REQUEST_DEADLINE, self.exchange(request)).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(response.into_body()),
            Ok(Ok(response)) => Err(self.fault(response).await),
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(self.silent()),
        }
    }

    fn request(
        &self,
        method: Method,
        target: &str,
        body: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query(target)
            .build()
            .map_err(|error| Error::NotSent {
                reason: format!("the request is too long to be sent ({error}); shorten it"),
            })?;
        let has_body = body.is_some();
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        if has_body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        if let Some(token) = &self.token {
            let text = format!("Bearer {}", token.reveal());
            let mut value = HeaderValue::from_str(&text).map_err(|_odd| Error::NotSent {
                reason: "the token has characters that no token has".to_owned(),
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        self.pool.request(request).await.map_err(|error| {
            let cause = deepest(&error);
            let reason = if error.is_connect() {
                format!(
                    "no daemon answers at {} ({cause}); start it with `crucible serve`",
                    self.address
                )
            } else {
                format!("the daemon at {} hung up ({cause})", self.address)
            };
            Error::Unreachable { reason }
        })
    }

    async fn read<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Error> {
        if !response.status().is_success() {
            return Err(self.fault(response).await);
        }
        let is_empty = response.status() == StatusCode::NO_CONTENT;
        let bytes = self.whole(response).await?;
        let json: &[u8] = if is_empty { b"null" } else { &bytes };
        serde_json::from_slice(json).map_err(|error| self.not_understood(&error))
    }

    async fn fault(&self, response: Response<Incoming>) -> Error {
        let status = response.status();
        match self.whole(response).await {
            Ok(bytes) => match serde_json::from_slice::<ErrorBody>(&bytes) {
                Ok(body) => Error::Told(Box::new(body.error)),
                Err(_) => self.not_understood(&format!("status {status}")),
            },
            Err(error) => error,
        }
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, Error> {
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        match body.collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) => Err(Error::Unreachable {
                reason: format!("the answer of {} broke off ({error})", self.address),
            }),
        }
    }

    fn silent(&self) -> Error {
        Error::Unreachable {
            reason: format!(
                "the daemon at {} gave no answer within {} s",
                self.address,
                REQUEST_DEADLINE.as_secs()
            ),
        }
    }

    pub(super) fn not_understood(&self, what: &dyn std::fmt::Display) -> Error {
        Error::NotUnderstood {
            reason: format!(
                "the answer of {} is not understood ({what}); is the daemon of the same version?",
                self.address
            ),
        }
    }
}

/// Returns the words of the innermost cause, which names what the system said.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
