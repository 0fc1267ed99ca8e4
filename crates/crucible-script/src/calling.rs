//! One call from its request to its outcome: budget, broker, runner, counting, telling.

use std::sync::Arc;

use crucible_services::events::{
    Cause, DaemonEvent, EventPayload, EventSource, EventType, ScriptEventType,
};
use crucible_services::script::{Budget, CallOutcome, CallRequest, Error};
use serde_json::{Value, json};

use crate::broker::{Broker, Desk, Visit};
use crate::job::{Job, Wake};
use crate::log;
use crate::manifest::Zone;
use crate::nearest::cure;
use crate::protocol::Level;
use crate::runner::{Ran, Runner};
use crate::slot::{Force, Slot};
use crate::worker::CallSpec;

/// What every call needs.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) desk: Desk,
    pub(crate) runner: Arc<dyn Runner>,
}

/// A call on its way.
struct Asked {
    function: String,
    arguments: Vec<Value>,
    budget: Option<Budget>,
    cause: Option<Cause>,
    dry_run: bool,
    read_only: bool,
}

impl Caller {
    /// Does one job; says nothing of how it went but where it was asked to.
    pub(crate) async fn work(&self, slot: &Arc<Slot>, job: Job) {
        match job {
            Job::Call {
                request,
                read_only,
                reply,
            } => {
                let outcome = self.call(slot, Asked::of(request, read_only)).await;
                // Whoever asked may have gone away meanwhile.
                let _gone = reply.send(outcome);
            }
            Job::Event(wake) => self.wake(slot, wake).await,
            Job::Schedule {
                version,
                index,
                due,
                is_late,
            } => {
                let schedule = &version.manifest.schedules[index];
                let zone = match schedule.zone {
                    Zone::Utc => "UTC",
                    Zone::Local => "local",
                };
                let detail = json!({
                    "schedule": schedule.cron.as_str(),
                    "timezone": zone,
                    "due": due.to_string(),
                    "late": is_late,
                });
                let cause = self.announce(slot, &detail).await;
                let mut asked = Asked::new(&schedule.function, detail);
                asked.cause = cause;
                // How it went is counted, logged and told by the call itself.
                let _outcome = self.call(slot, asked).await;
                let mut state = slot.state();
                let is_same = state
                    .force
                    .as_ref()
                    .is_some_and(|force| Arc::ptr_eq(&force.version, &version));
                if let Some(planner) = state.planner.as_mut().filter(|_| is_same) {
                    planner.ended(index);
                }
            }
        }
    }

    async fn wake(&self, slot: &Arc<Slot>, wake: Wake) {
        // A grant may have been taken back while the event waited.
        let Ok(Force { scopes, .. }) = slot.force() else {
            return;
        };
        if !wake.paths.iter().all(|path| scopes.may_read(path)) {
            return;
        }
        if !wake.tags.is_empty() && !self.is_tagged(&wake).await {
            return;
        }
        let mut asked = Asked::new(&wake.function, wake.event);
        asked.cause = Some(wake.cause);
        // How it went is counted, logged and told by the call itself.
        let _outcome = self.call(slot, asked).await;
    }

    async fn is_tagged(&self, wake: &Wake) -> bool {
        let Some(path) = wake.paths.first() else {
            return false;
        };
        let Ok(note) = self.desk.host.store.note(path).await else {
            return false;
        };
        let carries = |wanted: &String| {
            note.summary.tags.iter().any(|tag| {
                tag.strip_prefix(wanted.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        note.summary.path == *path && wake.tags.iter().any(carries)
    }

    /// Begins a chain of causes for a call that the clock makes.
    async fn announce(&self, slot: &Slot, detail: &Value) -> Option<Cause> {
        let context = self.desk.context.as_ref()?;
        let event = DaemonEvent::new(
            EventType::Custom {
                name: format!("{}.schedule", slot.name),
            },
            EventSource::service("scripts"),
            EventPayload::json(detail.clone()),
        );
        let cause = event.as_cause();
        context.events.publish(event).await.ok().map(|_| cause)
    }

    async fn call(&self, slot: &Arc<Slot>, asked: Asked) -> Result<CallOutcome, Error> {
        let force = slot.force()?;
        if let Some(not_before) = slot.not_before() {
            tokio::time::sleep_until(not_before).await;
        }
        check_function(&force, &asked.function)?;
        let log = Arc::clone(slot);
        let visit = Visit {
            script: slot.name.clone(),
            function: asked.function.clone(),
            scopes: Arc::clone(&force.scopes),
            cause: asked.cause,
            dry_run: asked.dry_run,
            read_only: asked.read_only,
            emits: Arc::clone(&slot.emits),
        };
        let broker = Broker::new(self.desk.clone(), visit, move |line| log.write(line));
        let spec = CallSpec {
            script: Arc::clone(&force.version.source),
            function: asked.function.clone(),
            arguments: asked.arguments,
            budget: asked.budget.unwrap_or(force.version.manifest.budget),
        };
        let Ran { outcome, crash } = self.runner.call(spec, &broker).await;
        let kept = broker.take();
        let cause = asked.cause.as_ref();
        match outcome {
            Ok(done) => {
                slot.succeeded();
                let duration_ms = u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX);
                let completed = ScriptEventType::Completed {
                    script: slot.name.clone(),
                    function: asked.function,
                    duration_ms,
                };
                self.tell(completed, cause).await;
                Ok(CallOutcome {
                    value: done.value,
                    log: kept.log,
                    writes: kept.writes,
                    host_calls: kept.host_calls,
                    took: done.took,
                })
            }
            Err(error) => {
                self.failed(slot, &asked.function, &error, crash.as_deref(), cause)
                    .await;
                Err(error)
            }
        }
    }

    async fn failed(
        &self,
        slot: &Slot,
        function: &str,
        error: &Error,
        crash: Option<&str>,
        cause: Option<&Cause>,
    ) {
        let words = error.to_string();
        tracing::info!(script.name = %slot.name, script.function = function, error = words, "a script call failed");
        slot.write(log::line(Level::Error, function, &words, cause));
        let is_off = slot.failed(&words, crash, self.desk.config.crashes_max);
        if let Some(reason) = crash {
            let reason = format!("{}: {reason}", slot.name);
            self.tell(ScriptEventType::WorkerExited { reason }, cause)
                .await;
        }
        if is_off {
            tracing::warn!(script.name = %slot.name, "a script crashed too often and is switched off");
            slot.write(log::line(
                Level::Error,
                function,
                "switched off after too many crashes",
                cause,
            ));
        }
        let failed = ScriptEventType::Failed {
            script: slot.name.clone(),
            function: function.to_owned(),
            error: words,
        };
        self.tell(failed, cause).await;
    }

    /// Tells what happened to a script.
    pub(crate) async fn tell(&self, what: ScriptEventType, cause: Option<&Cause>) {
        let Some(context) = &self.desk.context else {
            return;
        };
        let event = DaemonEvent::new(
            EventType::Script(what),
            EventSource::service("scripts"),
            EventPayload::text(""),
        );
        let event = match cause {
            Some(cause) => event.following(cause),
            None => event,
        };
        if let Err(error) = context.events.publish(event).await {
            tracing::debug!(%error, "an event about a script was not told");
        }
    }
}

impl Asked {
    fn new(function: &str, argument: Value) -> Self {
        Self {
            function: function.to_owned(),
            arguments: vec![argument],
            budget: None,
            cause: None,
            dry_run: false,
            read_only: false,
        }
    }

    fn of(request: CallRequest, read_only: bool) -> Self {
        Self {
            function: request.function,
            arguments: request.arguments,
            budget: request.budget,
            cause: request.cause,
            dry_run: request.dry_run,
            read_only,
        }
    }
}

fn check_function(force: &Force, function: &str) -> Result<(), Error> {
    let known = &force.version.functions;
    if known.iter().any(|known| known.name == function) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    Err(Error::Failed(format!(
        "the script has no function `{function}`{}",
        cure(function, &names)
    )))
}
