//! Answers what a script asks for, after looking at what it may do.
//!
//! A [`Broker`] lives for one call. It is the only way from a script to the daemon, and every
//! answer goes through the scopes that are in force: a worker holds no authority of its own. What
//! a script may not read is to it as if it were not there.

mod clock;
mod emitting;
mod inference;
mod kv;
mod listing;
mod reading;
mod visible;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use crucible_services::events::{
    Cause, DaemonEvent, EventPayload, EventSource, EventType, ScriptEventType,
};
use crucible_services::note_writer::Author;
use crucible_services::script::LogLine;
use crucible_services::service_traits::ServiceContext;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::capability::Capability;
use crate::config::{ScriptConfig, ScriptHost};
use crate::host;
use crate::log;
use crate::protocol::{HostError, Level};
use crate::rate::Rate;
use crate::scopes::Scopes;
use crate::worker::HostCalls;

/// The most log lines and told writes of one call that are given back with its value.
const KEPT_MAX: usize = 1000;
/// How many denied capabilities of one call are told.
const DENIED_MAX: usize = 20;

/// What all calls share.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) host: ScriptHost,
    pub(crate) config: Arc<ScriptConfig>,
    /// Where events are told; `None` where nobody listens, as in a test of a script.
    pub(crate) context: Option<ServiceContext>,
}

/// One call, seen from the daemon.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) script: String,
    pub(crate) function: String,
    pub(crate) scopes: Arc<Scopes>,
    pub(crate) cause: Option<Cause>,
    /// True when writes are told instead of made.
    pub(crate) dry_run: bool,
    /// True when writes are refused, since the tool says that it makes none.
    pub(crate) read_only: bool,
    /// How many events the script may still tell.
    pub(crate) emits: Arc<Mutex<Rate>>,
}

/// Answers the host calls of one call.
pub(crate) struct Broker {
    desk: Desk,
    visit: Visit,
    kept: Mutex<Kept>,
    /// Shows each line to whoever keeps the script's log.
    log: Box<dyn Fn(LogLine) + Send + Sync>,
}

/// What is given back with the call's value.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) log: Vec<LogLine>,
    pub(crate) writes: Vec<String>,
    pub(crate) host_calls: BTreeMap<String, u64>,
    denied: BTreeSet<Capability>,
}

type Answer = Result<Value, HostError>;

impl Broker {
    pub(crate) fn new(
        desk: Desk,
        visit: Visit,
        log: impl Fn(LogLine) + Send + Sync + 'static,
    ) -> Self {
        Self {
            desk,
            visit,
            kept: Mutex::default(),
            log: Box::new(log),
        }
    }

    /// Takes out what was kept.
    pub(crate) fn take(&self) -> Kept {
        std::mem::take(&mut *self.kept())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn author(&self) -> Author {
        let author = Author::new(format!("script:{}", self.visit.script));
        match self.visit.cause {
            Some(cause) => author.caused_by(cause),
            None => author,
        }
    }

    /// Tells what would have been done; true when that is all that is to happen.
    fn is_rehearsal(&self, what: impl FnOnce() -> String) -> bool {
        if self.visit.dry_run {
            let mut kept = self.kept();
            if kept.writes.len() < KEPT_MAX {
                kept.writes.push(what());
            }
        }
        self.visit.dry_run
    }

    fn write_line(&self, level: Level, message: &str) {
        let line = log::line(
            level,
            &self.visit.function,
            message,
            self.visit.cause.as_ref(),
        );
        {
            let mut kept = self.kept();
            if kept.log.len() < KEPT_MAX {
                kept.log.push(line.clone());
            }
        }
        (self.log)(line);
    }

    /// Refuses unless the script has this very capability.
    async fn require(&self, capability: Capability) -> Result<(), HostError> {
        if self.visit.scopes.has(&capability) {
            Ok(())
        } else {
            Err(self.deny(capability).await)
        }
    }

    /// Tells a person that a script reached for what it was not granted, once for each call.
    async fn deny(&self, capability: Capability) -> HostError {
        self.tell_denied(capability.clone()).await;
        HostError::new(
            "denied",
            format!(
                "`{capability}` is not granted to this script; the manifest asks for it under \
                 [capabilities], and `crucible script grant {}` grants it",
                self.visit.script
            ),
        )
    }

    async fn tell_denied(&self, capability: Capability) {
        {
            let mut kept = self.kept();
            if kept.denied.len() >= DENIED_MAX || !kept.denied.insert(capability.clone()) {
                return;
            }
        }
        self.write_line(
            Level::Warn,
            &format!("denied: `{capability}` is not granted"),
        );
        self.publish(EventType::Script(ScriptEventType::Denied {
            script: self.visit.script.clone(),
            capability: capability.to_string(),
        }))
        .await;
    }

    async fn publish(&self, event_type: EventType) {
        let Some(context) = &self.desk.context else {
            return;
        };
        let event = DaemonEvent::new(
            event_type,
            EventSource::service("scripts"),
            EventPayload::text(""),
        );
        let event = match &self.visit.cause {
            Some(cause) => event.following(cause),
            None => event,
        };
        if let Err(error) = context.events.publish(event).await {
            tracing::debug!(%error, "an event about a script was not told");
        }
    }

    async fn answer(&self, name: &str, arguments: Vec<Value>) -> Answer {
        let arguments = Arguments { name, arguments };
        match name {
            "notes.read" => self.read(arguments.one()?).await,
            "notes.exists" => self.exists(arguments.one()?).await,
            "notes.list" => self.list(arguments.one()?).await,
            "notes.search" => {
                let (query, options) = arguments.two()?;
                self.search(query, options).await
            }
            "notes.links" => self.links(arguments.one()?).await,
            "notes.create" => {
                let (path, text) = arguments.two()?;
                self.create(path, text).await
            }
            "notes.write" => {
                let (path, seen, text) = arguments.three()?;
                self.overwrite(path, seen, text).await
            }
            "notes.edit" => {
                let (path, seen, edits) = arguments.three()?;
                self.edit(path, seen, edits).await
            }
            "notes.append" => {
                let (path, text) = arguments.two()?;
                self.append(path, text).await
            }
            "notes.append_to_section" => {
                let (path, heading, text) = arguments.three()?;
                self.append_to_section(path, heading, text).await
            }
            "notes.rename" => {
                let (from, to, seen) = arguments.three()?;
                self.rename(from, to, seen).await
            }
            "notes.delete" => {
                let (path, seen) = arguments.two()?;
                self.delete(path, seen).await
            }
            other => self.answer_rest(other, arguments).await,
        }
    }

    async fn answer_rest(&self, name: &str, arguments: Arguments<'_>) -> Answer {
        match name {
            "events.emit" => {
                let (event, payload) = arguments.two()?;
                self.emit(event, payload).await
            }
            "kv.get" => self.kv_get(arguments.one()?).await,
            "kv.set" => {
                let (key, value) = arguments.two()?;
                self.kv_set(key, value).await
            }
            "kv.remove" => self.kv_remove(arguments.one()?).await,
            "kv.keys" => self.kv_keys(arguments.one()?).await,
            "inference.embed" => self.embed(arguments.one()?).await,
            "inference.generate" => self.generate(arguments.one()?).await,
            "clock.now" => Ok(self.now()),
            other => Err(HostError::new(
                "invalid",
                format!("the daemon offers no function {other:?} to scripts"),
            )),
        }
    }
}

#[async_trait]
impl HostCalls for Broker {
    async fn host_call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, HostError> {
        // Only names that exist are counted, so that a script cannot grow the list.
        if let Some(function) = host::find(name) {
            let mut kept = self.kept();
            *kept.host_calls.entry(function.name.to_owned()).or_default() += 1;
        }
        self.answer(name, arguments).await
    }

    fn log(&self, level: Level, message: &str) {
        self.write_line(level, message);
    }
}

/// The arguments of a host call on their way to their types.
struct Arguments<'a> {
    name: &'a str,
    arguments: Vec<Value>,
}

impl Arguments<'_> {
    fn one<A: DeserializeOwned>(self) -> Result<A, HostError> {
        let [a] = self.all()?;
        read(0, self.name, a)
    }

    fn two<A: DeserializeOwned, B: DeserializeOwned>(self) -> Result<(A, B), HostError> {
        let name = self.name;
        let [a, b] = self.all()?;
        Ok((read(0, name, a)?, read(1, name, b)?))
    }

    fn three<A, B, C>(self) -> Result<(A, B, C), HostError>
    where
        A: DeserializeOwned,
        B: DeserializeOwned,
        C: DeserializeOwned,
    {
        let name = self.name;
        let [a, b, c] = self.all()?;
        Ok((read(0, name, a)?, read(1, name, b)?, read(2, name, c)?))
    }

    fn all<const N: usize>(&self) -> Result<[Value; N], HostError> {
        self.arguments.clone().try_into().map_err(|_| {
            let given = self.arguments.len();
            HostError::new(
                "invalid",
                format!("{} takes {N} arguments, not {given}", self.name),
            )
        })
    }
}

fn read<T: DeserializeOwned>(index: usize, name: &str, value: Value) -> Result<T, HostError> {
    serde_json::from_value(value).map_err(|error| {
        let argument = host::find(name)
            .and_then(|function| function.arguments.get(index))
            .copied()
            .unwrap_or("an argument");
        HostError::new("invalid", format!("{name}: `{argument}`: {error}"))
    })
}

#[cfg(test)]
mod tests;
