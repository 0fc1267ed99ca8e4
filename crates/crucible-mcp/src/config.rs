//! What can be set about the gateway.

use std::time::Duration;

/// Settings of an [`McpService`](crate::McpService).
///
/// ```
/// let mut config = crucible_mcp::McpConfig::new("Garden");
/// config.calls_max = 16;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct McpConfig {
    /// The vault's name, as agents are told it.
    pub vault_name: String,
    /// How many tool calls may be in flight at a time, over all clients; at least 1. One more is
    /// refused with a message that says so.
    pub calls_max: usize,
    /// How long one tool call may take.
    pub call_deadline: Duration,
    /// The largest message that a client may send, in bytes.
    pub message_size_max_bytes: usize,
    /// How many HTTP requests may be worked on at a time; at least 1. One more gets status 503.
    pub http_requests_max: usize,
    /// How many legacy HTTP sessions are kept; at least 1. One more ends the session that was
    /// used the longest ago, whose client then gets status 404 and begins again.
    pub sessions_max: usize,
    /// After how much silence a legacy HTTP session ends.
    pub session_idle_max: Duration,
    /// How long `stop` waits for calls in flight before it cancels them.
    pub drain_deadline: Duration,
}

impl McpConfig {
    /// Returns the defaults for a vault of this name.
    #[must_use]
    pub fn new(vault_name: impl Into<String>) -> Self {
        Self {
            vault_name: vault_name.into(),
            calls_max: 64,
            call_deadline: Duration::from_secs(30),
            message_size_max_bytes: 1024 * 1024,
            http_requests_max: 256,
            sessions_max: 256,
            session_idle_max: Duration::from_secs(30 * 60),
            drain_deadline: Duration::from_secs(10),
        }
    }
}
