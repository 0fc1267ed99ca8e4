//! Why a daemon did not start, or did not get its index ready.

use std::io;
use std::net::SocketAddr;

use crucible_services::data_store;

use crate::{instance, location};

/// Why a daemon did not start. Messages read after "failed to start: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The vault or the place of its index cannot be used.
    #[error(transparent)]
    Location(#[from] location::Error),
    /// Another process writes the index.
    #[error(transparent)]
    Instance(#[from] instance::Error),
    /// The vault cannot be read.
    #[error(transparent)]
    Vault(#[from] crucible_vault::OpenError),
    /// The settings cannot be used.
    #[error("the settings cannot be used: {0}")]
    Settings(#[from] crate::settings::Error),
    /// The inference engine cannot be made.
    #[error("the inference engine cannot be set up")]
    Inference(#[from] crucible_services::service_traits::ServiceError),
    /// The state cannot be opened.
    #[error("the state cannot be opened")]
    State(#[from] crucible_store::StateFileError),
    /// The record of changes cannot be opened.
    #[error("the record of changes cannot be opened")]
    Writer(#[from] crucible_vault::WriterError),
    /// Nobody can be let in.
    #[error("the API has no way to let anybody in")]
    Access(#[from] crucible_api::auth::Error),
    /// The index cannot be opened.
    #[error("the index cannot be opened")]
    Store(#[from] crucible_store::OpenError),
    /// The services cannot be put together or started.
    #[error("the services did not start")]
    Core(#[from] crucible_core::Error),
    /// The address can be reached by others.
    #[error(
        "the API would listen on {address}, where others can reach it, and it speaks without \
         encryption; give an address on loopback such as 127.0.0.1:{}, and reach it from elsewhere \
         through an SSH tunnel", address.port()
    )]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("the API cannot listen on {address}: {source}; give another port with --listen")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The index could not be brought up to date.
    #[error("the index cannot be brought up to date: {message}")]
    Indexing {
        /// The cause and the cure.
        message: String,
    },
    /// The index could not be asked.
    #[error("the index cannot be read")]
    Ask(#[from] data_store::Error),
    /// The daemon was stopped while something waited for it.
    #[error("the daemon was stopped")]
    Stopped,
}

impl StartError {
    /// Says whether another process has the right to write the index.
    #[must_use]
    pub const fn is_vault_in_use(&self) -> bool {
        matches!(self, Self::Instance(instance::Error::Held { .. }))
    }
}
