//! One GET with deadlines: bytes to a typed answer or to a typed error.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crucible_services::data_store::Error;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

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

/// A pool of connections to one daemon.
#[derive(Clone, Debug)]
pub(super) struct Http {
    address: SocketAddr,
    /// Proves who asks; `None` where nobody is asked for it.
    token: Option<Arc<str>>,
    pool: Pool<HttpConnector, Empty<Bytes>>,
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

    pub(super) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Asks for `target`, a path with a query string that is percent-encoded already.
    pub(super) async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Error> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query(target)
            .build()
            .map_err(|error| Error::InvalidQuery {
                message: format!("the request is too long to be sent ({error}); shorten it"),
            })?;
        match tokio::time::timeout(REQUEST_DEADLINE, self.exchange(uri)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Error::Unavailable {
                reason: format!(
                    "the daemon at {} gave no answer within {} s",
                    self.address,
                    REQUEST_DEADLINE.as_secs()
                ),
            }),
        }
    }

    async fn exchange<T: DeserializeOwned>(&self, uri: Uri) -> Result<T, Error> {
        let mut request = Request::get(uri);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| Error::InvalidQuery {
                message: format!("the request cannot be sent ({error})"),
            })?;
        let response = self.pool.request(request).await.map_err(|error| {
            let cause = deepest(&error);
            let reason = if error.is_connect() {
                format!(
                    "no daemon answers at {} ({cause}); start it with `crucible serve`",
                    self.address
                )
            } else {
                format!("the daemon at {} hung up ({cause})", self.address)
            };
            Error::Unavailable { reason }
        })?;
        self.read(response).await
    }

    async fn read<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Error> {
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let bytes = match body.collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) => {
                return Err(Error::Unavailable {
                    reason: format!("the answer of {} broke off ({error})", self.address),
                });
            }
        };
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| self.not_understood(&error));
        }
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => Err(body.error.into_store_error()),
            Err(_) => Err(self.not_understood(&format!("status {status}"))),
        }
    }

    fn not_understood(&self, what: &dyn std::fmt::Display) -> Error {
        Error::Internal {
            message: format!(
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
