//! The way to the Script Engine of the daemon that serves the vault.

use std::ops::Deref;

use crucible_api::client::Client;
use crucible_daemon::instance;
use crucible_services::service_traits::ScriptEngine;

use crate::args::Global;
use crate::args::script::Place;
use crate::failure::{Failure, Kind};
use crate::vault_choice;

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
    let location = vault_choice::find(global, place.choice().vault.as_deref())?;
    let api = instance::running(&location).and_then(|instance| instance.api);
    let Some(api) = api else {
        let message = format!("no daemon serves {}", location.vault().display());
        return Err(Failure::message(Kind::Failed, message)
            .with_hint("scripts run in the daemon: start it with `crucible serve`"));
    };
    let client = Client::new(api);
    client
        .alive()
        .await
        .map_err(|error| Failure::new(Kind::Failed, error))?;
    Ok(Engine(client))
}
