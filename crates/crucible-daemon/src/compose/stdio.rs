//! MCP over standard input and output, whichever way the notes are reached.

use std::sync::Arc;

use crucible_mcp::{McpConfig, McpService};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::location::Location;

/// Serves one MCP client on standard input and output until its input ends or `token` is
/// cancelled.
///
/// # Errors
/// When the conversation breaks off.
pub async fn serve_mcp(
    access: &Access,
    location: &Location,
    token: CancellationToken,
) -> Result<(), crucible_mcp::Error> {
    let supervised = access.own_daemon().and_then(|daemon| daemon.mcp.clone());
    let service = supervised.unwrap_or_else(|| gateway(location, access));
    service.serve_stdio(token).await
}

/// Makes a gateway to a store that another process supervises.
fn gateway(location: &Location, access: &Access) -> Arc<McpService> {
    let config = McpConfig::new(location.vault_name());
    let service = McpService::new(config, access.store());
    Arc::new(match access.writer() {
        Some(writer) => service.with_writer(writer),
        None => service,
    })
}
