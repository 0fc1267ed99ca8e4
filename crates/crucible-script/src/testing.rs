//! Twins for tests within this crate: a listener that keeps events, and a runner whose scripts are
//! written in Rust.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::events::{DaemonEvent, EventPublisher, EventType, ScriptEventType};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::script::Error;
use crucible_services::service_traits::ServiceContext;
use crucible_services::tasks::TaskOwner;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::protocol::{Compiled, Diagnostic, Function, ScriptSource, Used};
use crate::runner::{Ran, Runner};
use crate::worker::{CallDone, CallSpec, HostCalls};

/// Keeps every event that is told.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<DaemonEvent>>,
    came: Notify,
}

impl Recorder {
    pub(crate) fn context(self: &Arc<Self>) -> ServiceContext {
        ServiceContext {
            tasks: TaskOwner::new("test"),
            events: Arc::clone(self) as _,
        }
    }

    pub(crate) fn all(&self) -> Vec<DaemonEvent> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn about_scripts(&self) -> Vec<ScriptEventType> {
        let events = self.all().into_iter();
        events
            .filter_map(|event| match event.event_type {
                EventType::Script(what) => Some(what),
                _ => None,
            })
            .collect()
    }

    /// Waits until an event was told for which `found` says so.
    pub(crate) async fn until(&self, mut found: impl FnMut(&EventType) -> bool) -> DaemonEvent {
        let wait = async {
            loop {
                let came = self.came.notified();
                let told = self
                    .all()
                    .into_iter()
                    .find(|event| found(&event.event_type));
                if let Some(event) = told {
                    return event;
                }
                came.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(60), wait).await {
            Ok(event) => event,
            Err(_) => panic!("not told within 60 s: {:#?}", self.about_scripts()),
        }
    }
}

#[async_trait]
impl EventPublisher for Recorder {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.events.lock().unwrap().push(event);
        self.came.notify_waiters();
        self.came.notify_one();
        Ok(RoutingReceipt::default())
    }
}

/// Runs functions that are known by name, in this process.
#[derive(Debug)]
pub(crate) struct NamedRunner {
    /// A permit lets one call of `wait` go on.
    pub(crate) gate: Semaphore,
    /// The calls that were begun: function and first argument.
    pub(crate) begun: Mutex<Vec<(String, Value)>>,
    pub(crate) came: Notify,
}

impl Default for NamedRunner {
    fn default() -> Self {
        Self {
            gate: Semaphore::new(0),
            begun: Mutex::default(),
            came: Notify::new(),
        }
    }
}

const FUNCTIONS: [&str; 8] = [
    "echo", "append", "read", "wait", "crash", "fail", "emit", "create",
];

impl NamedRunner {
    /// Waits until so many calls were begun.
    pub(crate) async fn until_begun(&self, count: usize) -> Vec<(String, Value)> {
        loop {
            let came = self.came.notified();
            let begun = self.begun.lock().unwrap().clone();
            if begun.len() >= count {
                return begun;
            }
            came.await;
        }
    }

    async fn run(&self, spec: &CallSpec, host: &dyn HostCalls) -> Result<Value, Error> {
        let argument = spec.arguments.first().cloned().unwrap_or_default();
        let failed = |error: crate::protocol::HostError| Error::Failed(error.message);
        match spec.function.as_str() {
            "append" => {
                let text = argument["path"].as_str().unwrap_or("?").to_owned();
                let arguments = vec![json!("Log.md"), json!(text)];
                host.host_call("notes.append", arguments)
                    .await
                    .map_err(failed)
            }
            "create" => {
                let arguments = vec![argument["path"].clone(), json!("text")];
                host.host_call("notes.create", arguments)
                    .await
                    .map_err(failed)
            }
            "read" => host
                .host_call("notes.read", vec![argument])
                .await
                .map_err(failed),
            "emit" => {
                let name = format!("custom.{}.said", spec.script.script);
                host.host_call("events.emit", vec![json!(name), json!({})])
                    .await
                    .map_err(failed)
            }
            "wait" => {
                self.gate.acquire().await.unwrap().forget();
                Ok(argument)
            }
            "crash" | "fail" => Err(Error::Failed("boom".to_owned())),
            _ => Ok(argument),
        }
    }
}

#[async_trait]
impl Runner for NamedRunner {
    async fn check(&self, source: &Arc<ScriptSource>) -> Result<Compiled, Error> {
        let text = &source.files["main.rn"];
        let mut compiled = Compiled {
            functions: Vec::new(),
            diagnostics: Vec::new(),
        };
        if text.contains("fault") {
            compiled.diagnostics.push(Diagnostic {
                file: "main.rn".to_owned(),
                line: 3,
                column: 1,
                message: "expected an expression".to_owned(),
                fatal: true,
            });
        } else {
            compiled.functions.extend(FUNCTIONS.map(|name| Function {
                name: name.to_owned(),
                arguments: 1,
                test: false,
            }));
        }
        Ok(compiled)
    }

    async fn call(&self, spec: CallSpec, host: &dyn HostCalls) -> Ran {
        let argument = spec.arguments.first().cloned().unwrap_or_default();
        self.begun
            .lock()
            .unwrap()
            .push((spec.function.clone(), argument));
        self.came.notify_one();
        let outcome = self.run(&spec, host).await;
        let crash = (spec.function == "crash").then(|| "it was killed".to_owned());
        Ran {
            outcome: outcome.map(|value| CallDone {
                value,
                used: Used::default(),
                took: Duration::ZERO,
            }),
            crash,
        }
    }

    async fn forget(&self, _script: &str) {}

    async fn end_idle(&self, _idle: Duration) {}

    fn open(&self) {}

    async fn shutdown(&self) {}

    fn living(&self) -> usize {
        0
    }
}
