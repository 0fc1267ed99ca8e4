//! The API as a supervised service.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::health::ServiceHealth;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use crucible_services::tasks::TaskOwner;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::config::{ApiConfig, ApiParts};
use crate::router::router_with;
use crate::serve::Server;

/// The service's name.
pub(crate) const SERVICE_NAME: &str = "api";
/// How long the health check waits for its own answer.
const PROBE_DEADLINE: Duration = Duration::from_secs(3);
/// How long after the drain deadline a stop waits for connections that were cut.
const CUT_DEADLINE: Duration = Duration::from_secs(2);

/// Serves the API on a socket that was bound before, so that its address is known first.
///
/// The socket is kept across stop and start; requests that come while the service is stopped wait
/// in the system's queue.
pub struct ApiService {
    config: ApiConfig,
    parts: ApiParts,
    listener: TcpListener,
    run: Mutex<Option<Run>>,
}

/// One run, from start to stop.
#[derive(Clone, Debug)]
struct Run {
    /// Ends the run in order.
    closing: CancellationToken,
    /// Ends it at once.
    cut: CancellationToken,
    /// Is cancelled when the run has ended, however it did.
    ended: CancellationToken,
}

impl std::fmt::Debug for ApiService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiService")
            .field("config", &self.config)
            .field("parts", &self.parts)
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl ApiService {
    /// Creates the service; nothing is answered before it is started.
    ///
    /// `listener` must be bound to a loopback address, or [`ServiceLifecycle::start`] refuses.
    #[must_use]
    pub fn new(config: ApiConfig, parts: ApiParts, listener: TcpListener) -> Self {
        Self {
            config,
            parts,
            listener,
            run: Mutex::default(),
        }
    }

    /// Returns the address that is listened on, once it is known to be a loopback address.
    fn address(&self) -> Result<SocketAddr, ServiceError> {
        let address = self
            .listener
            .local_addr()
            .map_err(|error| ServiceError::failed(&error))?;
        if address.ip().is_loopback() {
            Ok(address)
        } else {
            Err(ServiceError::Refused(format!(
                "{address} can be reached from other machines, and tokens would travel there in \
                 the clear; listen on 127.0.0.1 or [::1]"
            )))
        }
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a new run, unless one is going on.
    fn enter(&self, context: &ServiceContext) -> Result<Run, ServiceError> {
        let mut current = self.run();
        let is_running = |run: &Run| !run.ended.is_cancelled();
        if current.as_ref().is_some_and(is_running) {
            return Err(ServiceError::Refused(
                "the API is running already".to_owned(),
            ));
        }
        let run = Run {
            closing: CancellationToken::new(),
            cut: context.tasks.token().child_token(),
            ended: CancellationToken::new(),
        };
        *current = Some(run.clone());
        Ok(run)
    }

    /// Returns a listener of tokio's on the same socket.
    fn listen(&self) -> std::io::Result<tokio::net::TcpListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    }
}

#[async_trait]
impl ServiceLifecycle for ApiService {
    fn name(&self) -> &'static str {
        SERVICE_NAME
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::Custom(SERVICE_NAME.to_owned())
    }

    fn dependencies(&self) -> Vec<String> {
        vec!["datastore".to_owned()]
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        let address = self.address()?;
        let listener = self
            .listen()
            .map_err(|error| ServiceError::failed(&error))?;
        let run = self.enter(&context)?;
        let server = Server {
            listener,
            router: router_with(
                self.config.clone(),
                self.parts.clone(),
                Some(address.port()),
                run.closing.clone(),
            ),
            connections_max: self.config.connections_max,
            streams_max: self.config.requests_max + self.config.streams_max,
            ping_interval: self.config.keep_alive,
            drain_deadline: self.config.drain_deadline,
            closing: run.closing,
            connections: TaskOwner::with_token(SERVICE_NAME, run.cut),
        };
        let ended = run.ended.drop_guard();
        context.tasks.spawn("api", async move {
            let _ended = ended;
            server.run().await;
        });
        tracing::info!(%address, "the API listens");
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        let Some(run) = self.run().clone() else {
            return Ok(());
        };
        run.closing.cancel();
        let deadline = self.config.drain_deadline + CUT_DEADLINE;
        match tokio::time::timeout(deadline, run.ended.cancelled()).await {
            Ok(()) => Ok(()),
            Err(_elapsed) => {
                run.cut.cancel();
                Err(ServiceError::Failed(
                    "connections did not end in time and were cut".to_owned(),
                ))
            }
        }
    }

    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        let ended = self.run().as_ref().map(|run| run.ended.is_cancelled());
        if ended != Some(false) {
            return Ok(ServiceHealth::unhealthy("the API does not run"));
        }
        let address = self.address()?;
        let probe = Client::new(address);
        Ok(
            match tokio::time::timeout(PROBE_DEADLINE, probe.alive()).await {
                Ok(Ok(())) => ServiceHealth::healthy(),
                Ok(Err(error)) => ServiceHealth::unhealthy(error.to_string()),
                Err(_elapsed) => ServiceHealth::unhealthy(format!(
                    "no answer from {address} within {} s",
                    PROBE_DEADLINE.as_secs()
                )),
            },
        )
    }
}
