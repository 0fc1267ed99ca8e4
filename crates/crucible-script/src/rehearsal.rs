//! Trying scripts out without a daemon: checking a folder, and running a script's own tests
//! against a vault in memory.
//!
//! A test is a function without arguments whose name begins with `test_`, or that carries
//! `#[test]`. Each runs in a worker like any call, with everything granted that the manifest asks
//! for, on a fresh copy of the notes below `tests/vault` in the script's folder.

mod notes;
mod resolve;
mod vault;

use std::path::Path;
use std::sync::{Arc, Mutex};

use crucible_services::script::{CallOutcome, Error, LogLine};
use crucible_services::state_store::MemoryState;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::broker::{Broker, Desk, Visit};
use crate::config::{ScriptConfig, ScriptHost};
use crate::isolated::IsolatedWorkers;
use crate::package::Package;
use crate::protocol::{Diagnostic, Function};
use crate::rate::Rate;
use crate::runner::Runner as _;
use crate::scopes::Scopes;
use crate::version::Version;
use crate::worker::{CallSpec, WorkerCommand};

pub use vault::MemoryVault;

/// The notes that tests find in their vault, relative to the script's folder.
pub const FIXTURES: &str = "tests/vault";

/// Tries out one script.
#[derive(Debug)]
pub struct Rehearsal {
    version: Version,
    warnings: Vec<Diagnostic>,
    notes: MemoryVault,
    runner: IsolatedWorkers,
    config: Arc<ScriptConfig>,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq)]
pub struct TestOutcome {
    /// The function.
    pub name: String,
    /// Why it failed; `None` when it passed.
    pub error: Option<String>,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl Rehearsal {
    /// Reads and compiles the script in `folder`, and reads its fixtures.
    ///
    /// # Errors
    /// [`Error::Manifest`], [`Error::Compile`] with the file and line, or what keeps a worker from
    /// starting.
    pub async fn open(folder: &Path, worker: WorkerCommand) -> Result<Self, Error> {
        let runner = IsolatedWorkers::new(worker, 1);
        let (at, fixtures) = (folder.to_owned(), folder.join(FIXTURES));
        let read = spawn_blocking(move || {
            let package = Package::read(&at)?;
            let notes = MemoryVault::read(&fixtures)
                .map_err(|error| Error::Failed(format!("{FIXTURES}: {error}")))?;
            Ok((package, notes))
        });
        let (package, notes) = read
            .await
            .map_err(|error| Error::Failed(error.to_string()))??;
        let compiled = runner.check(&package.source).await?;
        let version = Version::compile(package, &runner).await?;
        Ok(Self {
            version,
            warnings: compiled.diagnostics,
            notes,
            runner,
            config: Arc::new(ScriptConfig::default()),
        })
    }

    /// Returns what the compiler has to say of a script that it takes.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Returns the functions that can be called.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.version.functions
    }

    /// Returns what the manifest asks for.
    #[must_use]
    pub fn requested(&self) -> Vec<String> {
        let asked = self.version.manifest.capabilities.iter();
        asked.map(ToString::to_string).collect()
    }

    /// Returns the names of the script's tests.
    #[must_use]
    pub fn tests(&self) -> Vec<String> {
        let is_test = |function: &&Function| {
            function.arguments == 0 && (function.test || function.name.starts_with("test_"))
        };
        let tests = self.version.functions.iter().filter(is_test);
        tests.map(|function| function.name.clone()).collect()
    }

    /// Runs one test on a fresh copy of the fixtures.
    pub async fn test(&self, name: &str) -> TestOutcome {
        let notes = Arc::new(self.notes.clone());
        match self.call(name, Vec::new(), &notes).await {
            Ok(outcome) => TestOutcome {
                name: name.to_owned(),
                error: None,
                log: outcome.log,
            },
            Err((error, log)) => TestOutcome {
                name: name.to_owned(),
                error: Some(error.to_string()),
                log,
            },
        }
    }

    /// Calls a function on a vault in memory, with everything granted that is asked for.
    ///
    /// # Errors
    /// Why it failed, and what it logged until then.
    pub async fn call(
        &self,
        function: &str,
        arguments: Vec<Value>,
        notes: &Arc<MemoryVault>,
    ) -> Result<CallOutcome, (Error, Vec<LogLine>)> {
        let asked = &self.version.manifest.capabilities;
        let scopes = Scopes::new(asked, asked).map_err(|error| (error, Vec::new()))?;
        let desk = Desk {
            host: ScriptHost {
                store: Arc::clone(notes) as _,
                writer: Arc::clone(notes) as _,
                state: Arc::new(MemoryState::default()),
                inference: None,
            },
            config: Arc::clone(&self.config),
            context: None,
        };
        let emits = Rate::new(self.config.emits_per_minute, Instant::now());
        let visit = Visit {
            script: self.version.source.script.clone(),
            function: function.to_owned(),
            scopes: Arc::new(scopes),
            cause: None,
            dry_run: false,
            read_only: false,
            emits: Arc::new(Mutex::new(emits)),
        };
        let broker = Broker::new(desk, visit, |_line| {});
        let spec = CallSpec {
            script: Arc::clone(&self.version.source),
            function: function.to_owned(),
            arguments,
            budget: self.version.manifest.budget,
        };
        let ran = self.runner.call(spec, &broker).await;
        let kept = broker.take();
        match ran.outcome {
            Ok(done) => Ok(CallOutcome {
                value: done.value,
                log: kept.log,
                writes: kept.writes,
                host_calls: kept.host_calls,
                took: done.took,
            }),
            Err(error) => Err((error, kept.log)),
        }
    }

    /// Ends the worker.
    pub async fn close(self) {
        self.runner.shutdown().await;
    }
}
