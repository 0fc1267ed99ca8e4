//! A daemon for tests: it starts the worker's program and answers host calls from memory.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_script::protocol::{HostError, Level, ScriptSource};
use crucible_script::worker::{CallDone, CallSpec, HostCalls, Worker, WorkerCommand};
use crucible_services::script::{Budget, Error};
use serde_json::{Value, json};

/// How the worker's program is started.
pub(crate) fn command() -> WorkerCommand {
    WorkerCommand {
        program: PathBuf::from(env!("CARGO_BIN_EXE_crucible-script-worker")),
        args: Vec::new(),
    }
}

pub(crate) async fn worker() -> Worker {
    Worker::start(&command()).await.unwrap()
}

/// A script of one file.
pub(crate) fn script(text: &str) -> Arc<ScriptSource> {
    files(&[("main.rn", text)])
}

/// A script whose first file is its entry.
pub(crate) fn files(files: &[(&str, &str)]) -> Arc<ScriptSource> {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    Arc::new(ScriptSource {
        script: "test".to_owned(),
        version: hasher.finish().to_string(),
        entry: files[0].0.to_owned(),
        files: files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    })
}

/// A call of `main` without arguments.
pub(crate) fn main_of(text: &str) -> CallSpec {
    call_of(text, "main", vec![])
}

pub(crate) fn call_of(text: &str, function: &str, arguments: Vec<Value>) -> CallSpec {
    CallSpec {
        script: script(text),
        function: function.to_owned(),
        arguments,
        budget: Budget {
            // The tests' program is not optimised.
            wall: Duration::from_secs(60),
            ..Budget::default()
        },
    }
}

/// Starts a worker for one call.
pub(crate) async fn run(spec: CallSpec, host: &MemoryHost) -> Result<CallDone, Error> {
    worker().await.call(spec, host).await
}

/// Returns the value of `main`.
pub(crate) async fn value_of(text: &str) -> Value {
    run(main_of(text), &MemoryHost::default())
        .await
        .unwrap()
        .value
}

/// Returns the message of the failure of `main`.
pub(crate) async fn failure_of(text: &str) -> String {
    match run(main_of(text), &MemoryHost::default()).await {
        Err(Error::Failed(message)) => message,
        other => panic!("expected a failure, not {other:?}"),
    }
}

/// Keeps what scripts say and answers what they ask for.
#[derive(Debug, Default)]
pub(crate) struct MemoryHost {
    pub(crate) lines: Mutex<Vec<(Level, String)>>,
    pub(crate) asked: Mutex<Vec<(String, Vec<Value>)>>,
    pub(crate) answers: HashMap<String, Result<Value, HostError>>,
}

impl MemoryHost {
    pub(crate) fn answering(name: &str, answer: Result<Value, HostError>) -> Self {
        let mut host = Self::default();
        host.answers.insert(name.to_owned(), answer);
        host
    }
}

#[async_trait]
impl HostCalls for MemoryHost {
    async fn host_call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, HostError> {
        self.asked
            .lock()
            .unwrap()
            .push((name.to_owned(), arguments.clone()));
        match self.answers.get(name) {
            Some(answer) => answer.clone(),
            None => Ok(json!({ "asked": name, "arguments": arguments })),
        }
    }

    fn log(&self, level: Level, message: &str) {
        self.lines.lock().unwrap().push((level, message.to_owned()));
    }
}
