//! A connection of HTTP/2 to a running API, for clients that the build makes of the .proto files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Request, Response, Uri};
use crucible_api::grpc::proto::events_client::EventsClient;
use crucible_api::grpc::proto::health::health_client::HealthClient;
use crucible_api::grpc::proto::services_client::ServicesClient;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tonic::body::Body;

/// One connection, and what each call on it says: where to, and who asks.
#[derive(Clone)]
pub(crate) struct Wire {
    sender: http2::SendRequest<Body>,
    origin: Uri,
    token: Option<Arc<str>>,
}

impl Wire {
    /// Connects; calls name the address itself.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        hyper::rt::Executor::execute(&TokioExecutor::new(), async {
            // How it ends is seen by whoever calls.
            let _ended = connection.await;
        });
        Self {
            sender,
            origin: format!("http://{address}").parse().unwrap(),
            token: None,
        }
    }

    /// Calls say that they go to this authority.
    pub(crate) fn to(mut self, authority: &str) -> Self {
        self.origin = format!("http://{authority}").parse().unwrap();
        self
    }

    /// Calls carry this header.
    pub(crate) fn by(mut self, authorization: &str) -> Self {
        self.token = Some(authorization.into());
        self
    }

    pub(crate) fn health(&self) -> HealthClient<Self> {
        HealthClient::with_origin(self.clone(), self.origin.clone())
    }

    pub(crate) fn services(&self) -> ServicesClient<Self> {
        ServicesClient::with_origin(self.clone(), self.origin.clone())
    }

    pub(crate) fn events(&self) -> EventsClient<Self> {
        EventsClient::with_origin(self.clone(), self.origin.clone())
    }

    /// Sends any request on this connection.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Incoming> {
        self.sender.clone().send_request(request).await.unwrap()
    }
}

impl tower::Service<Request<Body>> for Wire {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, hyper::Result<Response<Incoming>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.sender.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(token) = &self.token {
            let headers = request.headers_mut();
            headers.insert("authorization", token.parse().unwrap());
        }
        Box::pin(self.sender.send_request(request))
    }
}
