//! What a daemon is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use crucible_inference::providers::Secrets;
use crucible_script::worker::WorkerCommand;
use jiff::tz::TimeZone;

use crate::location::Location;
use crate::settings::Sources;

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct DaemonConfig {
    /// Which vault, and where its index lives.
    pub location: Location,
    /// What this process is.
    pub role: Role,
    /// Where the settings come from.
    pub sources: Sources,
    /// What the process finds around it.
    pub surroundings: Surroundings,
}

impl DaemonConfig {
    /// Creates a configuration with default settings and nothing around it.
    #[must_use]
    pub fn new(location: Location, role: Role) -> Self {
        Self {
            location,
            role,
            sources: Sources::default(),
            surroundings: Surroundings::default(),
        }
    }

    /// Sets where the API listens, as an option of the command line.
    #[must_use]
    pub fn listening_on(mut self, address: SocketAddr) -> Self {
        self.sources.flags.push((
            "api.listen".to_owned(),
            address.to_string().into(),
            "--listen".to_owned(),
        ));
        self
    }

    /// Switches authentication off, as an option of the command line.
    #[must_use]
    pub fn without_authentication(mut self) -> Self {
        self.sources.flags.push((
            "api.authentication".to_owned(),
            false.into(),
            "--no-auth".to_owned(),
        ));
        self
    }
}

/// What the process finds around it; a part that is left out is not offered.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The folder of models that run in this process.
    pub models: Option<PathBuf>,
    /// The program that is started as a worker of scripts, with the arguments that make it one;
    /// without it no scripts run.
    pub worker: Option<WorkerCommand>,
    /// The clock that schedules and scripts call local; UTC where it is not known.
    pub local: Option<TimeZone>,
    /// How variables of the environment that hold keys of providers are read.
    pub secrets: Option<Secrets>,
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
