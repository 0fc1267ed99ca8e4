//! One command's way to a vault: found, opened, brought up to date, and closed again.

use std::io::Write as _;
use std::sync::Arc;

use crucible_api::client::{self, Client};
use crucible_api::error::Code;
use crucible_daemon::access::{self, Access, Via};
use crucible_daemon::compose::Role;
use crucible_daemon::location::Location;
use crucible_daemon::{StartError, instance};
use crucible_services::data_store::DataStore;
use crucible_services::note_writer;
use serde::Serialize;

use crate::args::{Global, VaultChoice};
use crate::failure::{Failure, Kind};
use crate::progress;
use crate::setup;
use crate::vault_choice;

/// An open vault.
#[derive(Debug)]
pub(crate) struct Session {
    access: Access,
    location: Location,
}

impl Session {
    /// Opens the vault that is meant and waits until its index is up to date.
    pub(crate) async fn open(
        global: &Global,
        choice: &VaultChoice,
        command: &'static str,
    ) -> Result<Self, Failure> {
        let location = vault_choice::find(global, choice.vault.as_deref())?;
        let config = setup::daemon(global, location.clone(), Role::Command(command))?;
        let access = Access::open(&config).await?;
        if let Some(daemon) = access.own_daemon()
            && let Err(error) = progress::follow(daemon).await
        {
            access.close().await;
            return Err(error.into());
        }
        Ok(Self { access, location })
    }

    pub(crate) fn store(&self) -> Arc<dyn DataStore> {
        self.access.store()
    }

    pub(crate) const fn via(&self) -> &Via {
        self.access.via()
    }

    pub(crate) const fn location(&self) -> &Location {
        &self.location
    }

    /// Returns what was found damaged when this process opened the index.
    pub(crate) fn recovered(&self) -> Vec<String> {
        self.access
            .own_daemon()
            .map(crucible_daemon::Daemon::recovered)
            .unwrap_or_default()
    }

    pub(crate) async fn close(self) {
        self.access.close().await;
    }
}

/// Returns a client of the daemon that serves the vault that is meant.
pub(crate) fn daemon(global: &Global, choice: &VaultChoice) -> Result<Client, Failure> {
    let location = vault_choice::find(global, choice.vault.as_deref())?;
    let holder = instance::running(&location);
    let client = holder.and_then(|holder| access::client(&location, &holder));
    client.ok_or_else(|| {
        let vault = location.vault().display();
        Failure::message(Kind::Failed, format!("no daemon serves {vault}"))
            .with_hint(format!("start one with `crucible serve {vault}`"))
    })
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let kind = match error.code() {
            Some(Code::NotFound) => Kind::NoSuchNote,
            _ => Kind::Failed,
        };
        Self::new(kind, error)
    }
}

impl From<note_writer::Error> for Failure {
    fn from(error: note_writer::Error) -> Self {
        Self::new(Kind::Failed, error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let kind = if error.is_vault_in_use() {
            Kind::VaultInUse
        } else {
            Kind::Failed
        };
        Self::new(kind, error)
    }
}

/// Prints a value as indented JSON on standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}
