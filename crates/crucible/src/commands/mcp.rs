//! `crucible mcp`: a vault for an AI agent, over standard input and output.

use crucible_daemon::access::Access;
use crucible_daemon::compose::{Role, serve_mcp};
use crucible_daemon::location::Location;
use tokio_util::sync::CancellationToken;

use crate::args::{Global, Mcp};
use crate::failure::{Failure, Kind};
use crate::signals::Signals;
use crate::{setup, vault_choice};

pub(crate) async fn run(global: &Global, args: &Mcp) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let location = vault_choice::find(global, args.vault.as_deref())?;
    let config = setup::daemon(global, location.clone(), Role::Mcp)?;
    let access = Access::open(&config).await?;
    let served = serve(&access, &location, &mut signals).await;
    access.close().await;
    served
}

/// Serves until the agent's host closes the input or ends the server by a signal.
///
/// The agent is answered at once; answers say so while the index is still being built.
async fn serve(access: &Access, location: &Location, signals: &mut Signals) -> Result<(), Failure> {
    let token = CancellationToken::new();
    let mut serving = std::pin::pin!(serve_mcp(access, location, token.clone()));
    let served = tokio::select! {
        served = &mut serving => served,
        _first = signals.next() => {
            token.cancel();
            tokio::select! {
                served = &mut serving => served,
                _second = signals.again() => Ok(()),
            }
        }
    };
    served.map_err(|error| Failure::new(Kind::Failed, error))
}
