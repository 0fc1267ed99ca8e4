//! The service on a real socket: start, health, stop in order, start again.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use crucible_api::auth::AccessControl;
use crucible_api::client::Client;
use crucible_api::{ApiConfig, ApiParts, ApiService};
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::health::HealthStatus;
use crucible_services::service_traits::{
    DataStore as _, ServiceContext, ServiceError, ServiceLifecycle as _,
};
use crucible_services::state_store::MemoryState;
use crucible_services::tasks::TaskOwner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::parts;
use crate::settings_twin::SettingsTwin;
use crate::twin::Twin;
use crate::writer_twin::WriterTwin;

/// Longer than anything here takes; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    core: CrucibleCore,
    pub(crate) twin: Arc<Twin>,
    pub(crate) writer: Arc<WriterTwin>,
    pub(crate) access: AccessControl,
    pub(crate) service: ApiService,
    pub(crate) address: SocketAddr,
    tasks: TaskOwner,
}

impl Running {
    pub(crate) async fn new() -> Self {
        Self::with(ApiConfig::default()).await
    }

    async fn with(config: ApiConfig) -> Self {
        let running = Self::stopped(config, "127.0.0.1:0", AccessControl::open()).await;
        running.start().await.unwrap();
        running
    }

    /// Requests must say who they come from.
    pub(crate) async fn guarded() -> Self {
        let access = AccessControl::new(Arc::new(MemoryState::default()));
        let running = Self::stopped(ApiConfig::default(), "127.0.0.1:0", access).await;
        running.start().await.unwrap();
        running
    }

    async fn stopped(config: ApiConfig, address: &str, access: AccessControl) -> Self {
        let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
        core.start().await.unwrap();
        let twin = Arc::new(Twin::sample());
        let writer = Arc::new(WriterTwin::default());
        let parts = ApiParts {
            writer: Some(Arc::clone(&writer) as _),
            configuration: Some(Arc::new(SettingsTwin::default())),
            access: access.clone(),
            ..parts(&core, &twin, None)
        };
        let listener = TcpListener::bind(address).unwrap();
        Self {
            writer,
            access,
            address: listener.local_addr().unwrap(),
            service: ApiService::new(config, parts, listener),
            tasks: TaskOwner::new("test"),
            core,
            twin,
        }
    }

    async fn start(&self) -> Result<(), ServiceError> {
        let context = ServiceContext {
            tasks: self.tasks.clone(),
            events: self.core.publisher(),
        };
        self.service.start(context).await
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Sends a request by hand and leaves the connection open.
    async fn open(&self, target: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// Opens an event stream; it is being answered when this returns.
    async fn open_events(&self) -> TcpStream {
        let mut stream = self.open("/api/v1/events").await;
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        stream
    }
}

/// Reads until the other side closes.
async fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .expect("the connection is closed")
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn stopped_service_starts_again_on_the_same_address() {
    let running = Running::new().await;
    for _ in 0..3 {
        assert_eq!(running.client().alive().await, Ok(()));
        let health = running.service.health_check().await.unwrap();
        assert_eq!(health.status, HealthStatus::Healthy);
        running.service.stop().await.unwrap();
        let health = running.service.health_check().await.unwrap();
        assert_eq!(health.status, HealthStatus::Unhealthy);
        running.start().await.unwrap();
    }
    assert!(matches!(
        running.start().await,
        Err(ServiceError::Refused(_))
    ));
}

#[tokio::test]
async fn ipv6_loopback_is_served() {
    let running = Running::stopped(ApiConfig::default(), "[::1]:0", AccessControl::open()).await;
    running.start().await.unwrap();
    assert_eq!(running.client().alive().await, Ok(()));
}

#[tokio::test]
async fn address_that_others_can_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let running = Running::stopped(ApiConfig::default(), address, AccessControl::open()).await;
        let Err(ServiceError::Refused(reason)) = running.start().await else {
            panic!("{address} was served");
        };
        assert!(reason.contains("127.0.0.1"), "{reason}");
    }
}

#[tokio::test]
async fn stop_ends_streams_in_order() {
    let running = Running::new().await;
    let stream = running.open_events().await;
    running.service.stop().await.unwrap();
    let text = read_to_end(stream).await;
    assert!(
        text.ends_with("\r\n0\r\n\r\n"),
        "the body is ended, not cut: {text:?}"
    );
}

#[tokio::test]
async fn stop_lets_a_request_finish_that_is_being_answered() {
    let running = Running::new().await;
    let stream = running.open("/api/v1/search?q=@gate").await;
    let _at_gate = running.twin.at_gate.acquire().await.unwrap();
    let release = async {
        tokio::task::yield_now().await;
        running.twin.gate.add_permits(1);
    };
    let (stopped, ()) = tokio::join!(running.service.stop(), release);
    stopped.unwrap();
    let text = read_to_end(stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}

#[tokio::test]
async fn stop_cuts_a_request_that_does_not_finish() {
    let config = ApiConfig {
        drain_deadline: Duration::from_millis(20),
        ..ApiConfig::default()
    };
    let running = Running::with(config).await;
    let stream = running.open("/api/v1/search?q=@hang").await;
    let _at_gate = running.twin.at_gate.acquire().await.unwrap();
    running.service.stop().await.unwrap();
    assert_eq!(read_to_end(stream).await, "");
    assert!(running.tasks.alive().is_empty());
}

#[tokio::test]
async fn cancelled_tasks_end_the_service_without_stop() {
    let running = Running::new().await;
    let stream = running.open_events().await;
    running.tasks.shutdown(PATIENCE).await.unwrap();
    read_to_end(stream).await;
    let health = running.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Unhealthy);
}

#[tokio::test]
async fn nonsense_on_the_socket_is_answered_and_harms_nobody() {
    let running = Running::new().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream
        .write_all(b"\x16\x03\x01\0nonsense\r\n\r\n")
        .await
        .unwrap();
    assert!(read_to_end(stream).await.starts_with("HTTP/1.1 400"));
    assert_eq!(running.client().alive().await, Ok(()));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_their_turn() {
    let config = ApiConfig {
        connections_max: 1,
        ..ApiConfig::default()
    };
    let running = Running::with(config).await;
    let first = running.open("/api/v1/search?q=@gate").await;
    let _at_gate = running.twin.at_gate.acquire().await.unwrap();
    let client = running.client();
    let second = client.stats();
    let release = async {
        running.twin.gate.add_permits(1);
        drop(first);
    };
    let (second, ()) = tokio::join!(second, release);
    assert_eq!(second, running.twin.stats().await);
}
