//! The installed scripts: found in their folder, loaded, swapped, removed.
//!
//! Loading is read -> check -> compile -> swap: whatever fails leaves the version in force where
//! it was. One script is loaded at a time, so that two hints about one change do not race.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crucible_services::clock;
use crucible_services::events::ScriptEventType;
use crucible_services::script::Error;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::calling::Caller;
use crate::package::{self, Package, Stamp};
use crate::planner::Planner;
use crate::scopes::Scopes;
use crate::slot::{Force, Slot};
use crate::version::Version;
use crate::{grants, log, runs};

/// The most scripts of one folder.
const SCRIPTS_MAX: usize = 256;

/// One run of the engine, from start to stop.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) caller: Caller,
    pub(crate) token: CancellationToken,
    /// Woken when schedules have changed.
    pub(crate) planned: Notify,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    loading: tokio::sync::Mutex<()>,
}

impl Engine {
    pub(crate) fn new(caller: Caller, token: CancellationToken) -> Self {
        Self {
            caller,
            token,
            planned: Notify::new(),
            slots: Mutex::default(),
            loading: tokio::sync::Mutex::new(()),
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the scripts by name.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.table().values().cloned().collect()
    }

    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) fn slot(&self, name: &str) -> Result<Arc<Slot>, Error> {
        let slot = self.table().get(name).cloned();
        slot.ok_or_else(|| Error::NotFound(name.to_owned()))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.caller.desk.config.scripts_dir.join(name)
    }

    /// Brings the scripts in line with their folder: loads what is new or changed, removes what
    /// is gone.
    pub(crate) async fn scan(self: &Arc<Self>) {
        let _turn = self.loading.lock().await;
        let scripts_dir = self.caller.desk.config.scripts_dir.clone();
        let listed = spawn_blocking(move || package::list(&scripts_dir)).await;
        let mut names = match listed {
            Ok(Ok(names)) => names,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the folder of scripts cannot be listed; it is tried again");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "listing the folder of scripts failed");
                return;
            }
        };
        if names.len() > SCRIPTS_MAX {
            tracing::warn!(
                scripts = names.len(),
                max = SCRIPTS_MAX,
                "too many scripts; the last by name are left out"
            );
            names.truncate(SCRIPTS_MAX);
        }
        let known: Vec<String> = self.table().keys().cloned().collect();
        for name in known.iter().filter(|name| !names.contains(name)) {
            self.remove(name).await;
        }
        for name in &names {
            if self.token.is_cancelled() {
                return;
            }
            // How it went is told and kept in the slot.
            let _outcome = self.load(name, false).await;
        }
    }

    /// Reads one script again, whether its files have changed or not.
    ///
    /// # Errors
    /// Why it was refused; the version in force stays.
    pub(crate) async fn reload(self: &Arc<Self>, name: &str) -> Result<Arc<Slot>, Error> {
        let _turn = self.loading.lock().await;
        let folder = self.folder(name);
        let is_there = crate::manifest::check_name(name).is_ok() && folder.is_dir();
        if !is_there {
            self.remove(name).await;
            return Err(Error::NotFound(name.to_owned()));
        }
        self.load(name, true).await?;
        self.slot(name)
    }

    async fn load(self: &Arc<Self>, name: &str, always: bool) -> Result<(), Error> {
        let folder = self.folder(name);
        let stamping = folder.clone();
        let stamp: Stamp = spawn_blocking(move || package::stamp(&stamping))
            .await
            .map_err(|error| Error::Failed(error.to_string()))?;
        let slot = self.slot_or_new(name);
        if !always && slot.state().stamp.as_ref() == Some(&stamp) {
            return Ok(());
        }
        let read = spawn_blocking(move || Package::read(&folder)).await;
        let read = read.unwrap_or_else(|error| Err(Error::Failed(error.to_string())));
        let compiled = match read {
            Ok(package) if !always && is_in_force(&slot, &package) => {
                slot.state().stamp = Some(stamp);
                return Ok(());
            }
            Ok(package) => Version::compile(package, self.caller.runner.as_ref()).await,
            Err(error) => Err(error),
        };
        let swapped = match compiled {
            Ok(version) => self.swap(&slot, version).await,
            Err(error) => Err(error),
        };
        // Files that nothing could look at are looked at again.
        let is_settled = !matches!(swapped, Err(Error::Unavailable(_)));
        slot.state().stamp = is_settled.then_some(stamp);
        if let Err(error) = &swapped {
            self.refuse(&slot, error).await;
        }
        swapped
    }

    async fn swap(&self, slot: &Arc<Slot>, version: Version) -> Result<(), Error> {
        let desk = &self.caller.desk;
        let grant = grants::load(desk.host.state.as_ref(), &slot.name).await?;
        let granted = grant
            .as_ref()
            .map(grants::Grant::capabilities)
            .unwrap_or_default();
        let scopes = Scopes::new(&version.manifest.capabilities, &granted)?;
        let schedules = &version.manifest.schedules;
        let past = runs::load(desk.host.state.as_ref(), &slot.name, schedules).await?;
        let now = clock::now();
        let planner = Planner::new(schedules, &past, now, desk.config.local.clone(), &slot.name);
        let loaded = ScriptEventType::Loaded {
            script: slot.name.clone(),
            version: version.source.version.clone(),
        };
        let force = Force {
            version: Arc::new(version),
            scopes: Arc::new(scopes),
        };
        slot.put(force, grant, planner);
        slot.write(log::line(crate::protocol::Level::Info, "", "loaded", None));
        self.planned.notify_one();
        self.caller.tell(loaded, None).await;
        Ok(())
    }

    async fn refuse(&self, slot: &Slot, error: &Error) {
        let words = error.to_string();
        if !slot.refuse(&words) {
            return;
        }
        tracing::warn!(script.name = %slot.name, error = words, "a script was refused");
        slot.write(log::line(crate::protocol::Level::Error, "", &words, None));
        let refused = ScriptEventType::Refused {
            script: slot.name.clone(),
            error: words,
        };
        self.caller.tell(refused, None).await;
    }

    /// Puts in force what a person granted.
    pub(crate) fn regrant(&self, slot: &Slot, grant: Option<grants::Grant>) -> Result<(), Error> {
        let granted = grant
            .as_ref()
            .map(grants::Grant::capabilities)
            .unwrap_or_default();
        let mut state = slot.state();
        if let Some(force) = &mut state.force {
            let asked = &force.version.manifest.capabilities;
            force.scopes = Arc::new(Scopes::new(asked, &granted)?);
        }
        state.grant = grant;
        Ok(())
    }

    fn slot_or_new(self: &Arc<Self>, name: &str) -> Arc<Slot> {
        let mut slots = self.table();
        if let Some(slot) = slots.get(name) {
            return Arc::clone(slot);
        }
        let config = &self.caller.desk.config;
        let slot = Arc::new(Slot::new(name, config, self.token.child_token()));
        slots.insert(name.to_owned(), Arc::clone(&slot));
        drop(slots);
        self.serve(&slot);
        slot
    }

    /// Gives the script a task that does its jobs, one after the other.
    fn serve(self: &Arc<Self>, slot: &Arc<Slot>) {
        let Some(context) = &self.caller.desk.context else {
            return;
        };
        let (caller, slot) = (self.caller.clone(), Arc::clone(slot));
        let name = format!("script {}", slot.name);
        context
            .tasks
            .spawn(name, crate::serving::serve(caller, slot));
    }

    async fn remove(&self, name: &str) {
        let removed = self.table().remove(name);
        let Some(slot) = removed else {
            return;
        };
        slot.token.cancel();
        self.caller.runner.forget(name).await;
        self.planned.notify_one();
        let script = name.to_owned();
        self.caller
            .tell(ScriptEventType::Removed { script }, None)
            .await;
    }
}

fn is_in_force(slot: &Slot, package: &Package) -> bool {
    let state = slot.state();
    let force = state.force.as_ref();
    let version = force.map(|force| &force.version.source.version);
    state.refused.is_none() && version == Some(&package.source.version)
}
