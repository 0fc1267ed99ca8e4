//! What a daemon is started with.

use std::net::SocketAddr;

use crate::location::Location;

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    /// Which vault, and where its index lives.
    pub location: Location,
    /// What this process is.
    pub role: Role,
    /// Where the API listens; `None` for [`DEFAULT_PORT`](super::DEFAULT_PORT) on loopback, or a
    /// free port when that one is taken. Only [`Role::Serve`] has an API.
    pub listen: Option<SocketAddr>,
}

impl DaemonConfig {
    /// Creates a configuration with defaults.
    #[must_use]
    pub const fn new(location: Location, role: Role) -> Self {
        Self {
            location,
            role,
            listen: None,
        }
    }
}

/// What a process with a vault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Watches the vault and has an API.
    Serve,
    /// Watches the vault for one MCP client.
    Mcp,
    /// Brings the index up to date once, for the command named.
    Command(&'static str),
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Mcp => "mcp",
            Self::Command(name) => name,
        }
    }

    /// Says whether the process stays, so that changes are followed and agents are served.
    pub(crate) const fn stays(self) -> bool {
        !matches!(self, Self::Command(_))
    }
}
