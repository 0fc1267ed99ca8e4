//! MCP over standard input and output, whichever way the notes are reached.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_api::client::Client;
use crucible_mcp::{McpConfig, McpService};
use crucible_services::events::{DaemonEvent, EventPublisher};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use tokio_util::sync::CancellationToken;

use super::following::Follower;
use super::link::Link;
use crate::access::Access;
use crate::location::Location;

/// How long the daemon may take to tell its events before the agent is answered without them.
const FIRST_DEADLINE: Duration = Duration::from_secs(2);
/// How long the tasks of a gateway may take to end.
const END_DEADLINE: Duration = Duration::from_secs(2);

/// Serves one MCP client on standard input and output until its input ends or `token` is
/// cancelled.
///
/// Beside a daemon, notes are asked for and changed through it, and its events are followed, also
/// when it is started again meanwhile.
///
/// # Errors
/// When the conversation breaks off.
pub async fn serve_mcp(
    access: &Access,
    location: &Location,
    token: CancellationToken,
) -> Result<(), crucible_mcp::Error> {
    if let Some(supervised) = access.own_daemon().and_then(|daemon| daemon.mcp.clone()) {
        return supervised.serve_stdio(token).await;
    }
    if let Some(client) = access.client() {
        return beside(client.clone(), location, token).await;
    }
    // A process without an API writes the index: it tells nothing, and takes no changes.
    let service = McpService::new(McpConfig::new(location.vault_name()), access.store());
    service.serve_stdio(token).await
}

/// Serves through the daemon that `client` asks.
async fn beside(
    client: Client,
    location: &Location,
    token: CancellationToken,
) -> Result<(), crucible_mcp::Error> {
    let link = Arc::new(Link::new(client));
    let config = McpConfig::new(location.vault_name());
    let service = McpService::new(config, Arc::clone(&link) as _);
    let service = Arc::new(service.with_writer(Arc::clone(&link) as _));
    let tasks = TaskOwner::new("mcp");
    let context = ServiceContext {
        tasks: tasks.clone(),
        events: Arc::new(Nobody),
    };
    if let Err(error) = service.start(context).await {
        return Err(crucible_mcp::Error::Broken(error.to_string()));
    }
    let follower = Follower::new(location.clone(), link, Arc::clone(&service));
    // Before the first answer, so that nothing that happens after it is missed.
    let first = tokio::time::timeout(FIRST_DEADLINE, follower.connect()).await;
    let ended = tasks.token().clone();
    tasks.spawn("daemon-events", async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = follower.run(first.unwrap_or_default()) => {}
        }
    });
    let served = service.serve_stdio(token).await;
    if let Err(error) = service.stop().await {
        tracing::warn!(%error, "the gateway did not stop cleanly");
    }
    if let Err(left) = tasks.shutdown(END_DEADLINE).await {
        tracing::warn!(?left, "tasks did not end");
    }
    served
}

/// Hears what is told in a process that routes no events.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl EventPublisher for Nobody {
    async fn publish(&self, _event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        Ok(RoutingReceipt::default())
    }
}
