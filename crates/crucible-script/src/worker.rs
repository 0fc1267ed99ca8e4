//! The daemon's end of the pipe: one worker process, started, spoken to, and ended.
//!
//! [`Worker`] is one process; what it does not survive, it tells ([`Worker::call`] names the
//! signal, the exit code or the limit). [`crate::pool`] starts the next one. What a script asks
//! for is answered by an implementation of [`HostCalls`], which decides what was granted.

mod account;
mod call;
mod process;
mod spawner;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::script::{Budget, Error};
use serde_json::Value;
use tokio::time::timeout;

use crate::protocol::{
    Compiled, FromWorker, HostError, Level, PROTOCOL, Sandbox, ScriptSource, ToWorker, Used, encode,
};
use process::{Broken, Process};

/// How long a worker may take until it has given up its authority and waits.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long compiling a script may take.
const COMPILE_LIMIT: Duration = Duration::from_secs(10);
/// How long a worker may take to answer what costs it nothing.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How a worker is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    /// The program; an absolute path, such as that of the daemon itself.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// A function to run, and what it may use up.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSpec {
    /// The script.
    pub script: Arc<ScriptSource>,
    /// The function's name.
    pub function: String,
    /// Its arguments.
    pub arguments: Vec<Value>,
    /// What it may use up.
    pub budget: Budget,
}

/// What a call gave back.
#[derive(Clone, Debug, PartialEq)]
pub struct CallDone {
    /// The function's value; that inside `Ok` when it returned one.
    pub value: Value,
    /// What it used up.
    pub used: Used,
    /// How long it took, from sending the call until its value was there.
    pub took: Duration,
}

/// Answers what a script asks the daemon for. Object-safe.
#[async_trait]
pub trait HostCalls: Send + Sync {
    /// Does what a script asks for, if it was granted; `name` is that of the host function, such
    /// as `notes.read`.
    ///
    /// The future is dropped when the call's time is up.
    ///
    /// # Errors
    /// Whatever the script should see as the error of its call.
    async fn host_call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, HostError>;

    /// Takes a line that the script logged.
    fn log(&self, level: Level, message: &str);
}

/// One worker process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker {
    process: Process,
    sandbox: Sandbox,
    /// The versions of the scripts that it holds, by name.
    loaded: HashMap<String, String>,
    calls: u64,
    /// True while something is under way: when that was given up, what comes next is not known.
    engaged: bool,
    /// How it ended.
    death: Option<String>,
}

impl Worker {
    /// Starts a worker and waits until it has given up its authority.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be started, or does not speak this protocol.
    pub async fn start(command: &WorkerCommand) -> Result<Self, Error> {
        let program = command.program.display();
        let process = Process::start(command).await.map_err(|error| {
            Error::Unavailable(format!("a script worker ({program}) cannot start: {error}"))
        })?;
        let mut worker = Self {
            process,
            sandbox: Sandbox::default(),
            loaded: HashMap::new(),
            calls: 0,
            engaged: false,
            death: None,
        };
        let what = match timeout(START_LIMIT, worker.process.next()).await {
            Ok(Ok((FromWorker::Hello { protocol, sandbox }, _))) if protocol == PROTOCOL => {
                worker.sandbox = sandbox;
                return Ok(worker);
            }
            Ok(Ok((FromWorker::Hello { protocol, .. }, _))) => {
                format!("it speaks version {protocol} of the protocol, not {PROTOCOL}")
            }
            Ok(Ok(_)) => "it did not begin with a greeting".to_owned(),
            Ok(Err(Broken::Garbage(garbage))) => garbage,
            Ok(Err(Broken::Ended)) => format!("it {}", worker.process.end().await.describe()),
            Err(_) => format!("it was not ready after {START_LIMIT:?}"),
        };
        worker.process.kill();
        let cause = format!("a script worker ({program}) cannot be used: {what}");
        Err(Error::Unavailable(cause))
    }

    /// Returns the number of its process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns which protections hold it.
    #[must_use]
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Returns how many calls it was given.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns whether it holds this version of the script.
    #[must_use]
    pub fn holds(&self, script: &ScriptSource) -> bool {
        self.loaded.get(&script.script) == Some(&script.version)
    }

    /// Returns whether the next call can go to it.
    pub fn is_usable(&mut self) -> bool {
        self.death.is_none()
            && !self.engaged
            && !self.process.is_spoilt()
            && !self.process.has_ended()
    }

    /// Returns how it ended, when it was found dead or had to be killed.
    #[must_use]
    pub fn death(&self) -> Option<&str> {
        self.death.as_deref()
    }

    /// Compiles a script and keeps it; a version that does not compile replaces none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Failed`] when the worker did not survive it; what is
    /// wrong with the script stands in the value.
    pub async fn load(&mut self, script: &Arc<ScriptSource>) -> Result<Compiled, Error> {
        let frame = encode(&ToWorker::Load(Arc::clone(script)))
            .map_err(|error| Error::Failed(format!("the script is too large: {error}")))?;
        let during = format!("compiling {:?}", script.script);
        match self.ask(&frame, COMPILE_LIMIT, &during).await? {
            FromWorker::Loaded { compiled, .. } => {
                if compiled.fault().is_none() {
                    let version = script.version.clone();
                    self.loaded.insert(script.script.clone(), version);
                }
                Ok(compiled)
            }
            other => Err(self.out_of_order(&other, &during).await),
        }
    }

    /// Forgets a script.
    ///
    /// # Errors
    /// [`Error::Failed`] when the worker did not survive it.
    pub async fn unload(&mut self, script: &str) -> Result<(), Error> {
        if self.loaded.remove(script).is_none() {
            return Ok(());
        }
        let message = ToWorker::Unload {
            script: script.to_owned(),
        };
        let frame = encode(&message).map_err(|error| Error::Failed(error.to_string()))?;
        match self
            .ask(&frame, ANSWER_LIMIT, "forgetting a script")
            .await?
        {
            FromWorker::Unloaded { .. } => Ok(()),
            other => Err(self.out_of_order(&other, "forgetting a script").await),
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`Error::Failed`] when none comes within two seconds; the worker is ended then.
    pub async fn ping(&mut self) -> Result<(), Error> {
        let frame = encode(&ToWorker::Ping).map_err(|error| Error::Failed(error.to_string()))?;
        match self.ask(&frame, ANSWER_LIMIT, "waiting").await? {
            FromWorker::Pong => Ok(()),
            other => Err(self.out_of_order(&other, "waiting").await),
        }
    }

    /// Ends it in order: it is killed when it has not ended within `patience`.
    pub async fn shutdown(&mut self, patience: Duration) {
        self.process.shutdown(patience).await;
    }

    /// Sends a frame and returns the answer, outside of calls.
    async fn ask(
        &mut self,
        frame: &[u8],
        limit: Duration,
        during: &str,
    ) -> Result<FromWorker, Error> {
        if !self.is_usable() {
            return Err(self.fail(Broken::Ended, during).await);
        }
        self.engaged = true;
        let process = &mut self.process;
        let answered = timeout(limit, async {
            process.send(frame).await?;
            process.next().await
        });
        match answered.await {
            Ok(Ok((message, _))) => {
                self.engaged = false;
                Ok(message)
            }
            Ok(Err(broken)) => Err(self.fail(broken, during).await),
            Err(_) => {
                self.end_now(&format!("it took longer than {limit:?} for {during}"));
                Err(Error::Failed(format!(
                    "{during} took longer than {limit:?} and was stopped"
                )))
            }
        }
    }

    async fn out_of_order(&mut self, message: &FromWorker, during: &str) -> Error {
        let garbage = format!("a {} out of order", name_of(message));
        self.fail(Broken::Garbage(garbage), during).await
    }

    /// Ends a worker of which nothing more is expected, and says why.
    async fn fail(&mut self, broken: Broken, during: &str) -> Error {
        let ending = self.process.end().await;
        let (death, error) = match broken {
            Broken::Garbage(garbage) => {
                let death = format!("it sent garbage ({garbage}) and was ended");
                let error = Error::Failed(format!("the script's worker broke {during}: {death}"));
                (death, error)
            }
            Broken::Ended if ending.is_out_of_memory() => {
                let error = Error::Stopped {
                    limit: crate::protocol::Limit::Memory.as_str().to_owned(),
                };
                ("it ran out of memory".to_owned(), error)
            }
            Broken::Ended if ending.is_stack_overflow() => {
                let death = "its stack overflowed".to_owned();
                let error = Error::Failed(format!(
                    "the script's worker overflowed its stack {during}: calls or data are nested \
                     too deep"
                ));
                (death, error)
            }
            Broken::Ended => {
                let how = ending.describe();
                let error = Error::Failed(format!("the script's worker {how}, {during}"));
                (format!("it {how}"), error)
            }
        };
        self.death.get_or_insert(death);
        error
    }

    /// Kills a worker that is not to be waited for.
    fn end_now(&mut self, why: &str) {
        self.process.kill();
        self.death.get_or_insert_with(|| why.to_owned());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill();
    }
}

const fn name_of(message: &FromWorker) -> &'static str {
    match message {
        FromWorker::Hello { .. } => "greeting",
        FromWorker::Loaded { .. } => "compiled script",
        FromWorker::Unloaded { .. } => "forgotten script",
        FromWorker::HostCall { .. } => "host call",
        FromWorker::Log { .. } => "log line",
        FromWorker::Done { .. } => "value",
        FromWorker::Pong => "sign of life",
    }
}
