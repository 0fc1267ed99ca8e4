//! One worker process for each script, started when it is needed first, ended when it idles.
//!
//! Scripts of different origin never share a process. The number of processes is bounded: when a
//! script needs one and all are taken, the one that has been idle longest makes way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::script::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::protocol::{Compiled, ScriptSource};
use crate::runner::{Ran, Runner};
use crate::worker::{CallSpec, HostCalls, Worker, WorkerCommand};

/// How long a script waits for a process when all are busy.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a worker may take to end in order.
const END_LIMIT: Duration = Duration::from_secs(1);

/// Keeps a worker for each script.
#[derive(Debug)]
pub(crate) struct IsolatedWorkers {
    command: WorkerCommand,
    workers_max: usize,
    places: Arc<Semaphore>,
    idle: Mutex<HashMap<String, Kept>>,
    /// True while nothing is kept: what comes back is ended.
    is_closed: AtomicBool,
}

/// A worker that waits, with the place that it takes up.
#[derive(Debug)]
struct Kept {
    worker: Worker,
    place: OwnedSemaphorePermit,
    since: Instant,
}

impl IsolatedWorkers {
    pub(crate) fn new(command: WorkerCommand, workers_max: usize) -> Self {
        let workers_max = workers_max.max(1);
        Self {
            command,
            workers_max,
            places: Arc::new(Semaphore::new(workers_max)),
            idle: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, script: &str) -> Result<(Worker, OwnedSemaphorePermit), Error> {
        let kept = self.idle().remove(script);
        if let Some(mut kept) = kept {
            if kept.worker.is_usable() {
                return Ok((kept.worker, kept.place));
            }
            let cause = kept
                .worker
                .death()
                .unwrap_or("it ended while nothing ran in it");
            tracing::warn!(
                script.name = script,
                cause,
                "an idle script worker had ended"
            );
        }
        let place = self.place().await?;
        let worker = Worker::start(&self.command).await?;
        Ok((worker, place))
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let oldest = {
            let mut idle = self.idle();
            let name = idle
                .iter()
                .min_by_key(|(_, kept)| kept.since)
                .map(|(name, _)| name.clone());
            name.and_then(|name| idle.remove(&name))
        };
        if let Some(mut kept) = oldest {
            kept.worker.shutdown(END_LIMIT).await;
            return Ok(kept.place);
        }
        let wait = Arc::clone(&self.places).acquire_owned();
        match timeout(WAIT_MAX, wait).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => Err(Error::Unavailable(
                "the script engine is stopping".to_owned(),
            )),
            Err(_elapsed) => Err(Error::Unavailable(format!(
                "all {} script workers were busy for {} s; try again later",
                self.workers_max,
                WAIT_MAX.as_secs()
            ))),
        }
    }

    fn put_back(&self, script: &str, mut worker: Worker, place: OwnedSemaphorePermit) {
        if !worker.is_usable() || self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let since = Instant::now();
        // A second one, from a check beside a call, is dropped and thereby ended.
        self.idle().entry(script.to_owned()).or_insert(Kept {
            worker,
            place,
            since,
        });
    }

    async fn end(&self, mut which: impl FnMut(&str, &Kept) -> bool) {
        let ended: Vec<Kept> = {
            let mut idle = self.idle();
            let names: Vec<String> = idle
                .iter()
                .filter(|(name, kept)| which(name, kept))
                .map(|(name, _)| name.clone())
                .collect();
            names.iter().filter_map(|name| idle.remove(name)).collect()
        };
        for mut kept in ended {
            kept.worker.shutdown(END_LIMIT).await;
        }
    }
}

#[async_trait]
impl Runner for IsolatedWorkers {
    async fn check(&self, source: &Arc<ScriptSource>) -> Result<Compiled, Error> {
        let (mut worker, place) = self.take(&source.script).await?;
        let compiled = worker.load(source).await;
        self.put_back(&source.script, worker, place);
        compiled
    }

    async fn call(&self, spec: CallSpec, host: &dyn HostCalls) -> Ran {
        let script = spec.script.script.clone();
        let (mut worker, place) = match self.take(&script).await {
            Ok(taken) => taken,
            Err(error) => {
                // That none could be started, or all are busy, is no fault of the script.
                return Ran {
                    outcome: Err(error),
                    crash: None,
                };
            }
        };
        let outcome = worker.call(spec, host).await;
        let is_limit = matches!(outcome, Err(Error::Stopped { .. }));
        let death = worker.death().map(str::to_owned);
        let crash = death.filter(|_| !is_limit && outcome.is_err());
        self.put_back(&script, worker, place);
        Ran { outcome, crash }
    }

    async fn forget(&self, script: &str) {
        self.end(|name, _| name == script).await;
    }

    async fn end_idle(&self, idle: Duration) {
        let now = Instant::now();
        self.end(|_, kept| now.saturating_duration_since(kept.since) >= idle)
            .await;
    }

    fn open(&self) {
        self.is_closed.store(false, Ordering::SeqCst);
    }

    async fn shutdown(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.end(|_, _| true).await;
    }

    fn living(&self) -> usize {
        self.workers_max - self.places.available_permits()
    }
}
