//! The way to the Script Engine of the daemon that serves the vault.

use std::ops::Deref;

use crucible_api::client::Client;
use crucible_services::service_traits::ScriptEngine;

use crate::args::Global;
use crate::args::script::Place;
use crate::failure::Failure;
use crate::session::daemon;

/// The engine of a running daemon.
pub(super) struct Engine(Client);

impl Deref for Engine {
    type Target = dyn ScriptEngine;

    fn deref(&self) -> &(dyn ScriptEngine + 'static) {
        &self.0
    }
}

/// Finds the daemon.
pub(super) async fn open(global: &Global, place: &Place) -> Result<Engine, Failure> {
    let client = daemon(global, &place.choice())?;
    client.alive().await?;
    Ok(Engine(client))
}
