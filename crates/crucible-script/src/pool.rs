//! Warm workers: a call takes a free one, and what died is replaced for the next call.
//!
//! One call runs in a worker at a time, so whatever a script does to its worker hurts no other
//! call. Workers are started when they are needed first; scripts are loaded where they are called.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crucible_services::script::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::protocol::{Compiled, Sandbox, ScriptSource};
use crate::worker::{CallDone, CallSpec, HostCalls, Worker, WorkerCommand};

/// How long a call waits for a free worker.
const QUEUE_LIMIT: Duration = Duration::from_secs(30);
/// How many calls may wait for a free worker; more are refused.
const QUEUE_MAX: usize = 256;
/// How long a worker may take to end in order.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(1);

/// Keeps worker processes and hands calls to them.
#[derive(Debug)]
pub struct WorkerPool {
    command: WorkerCommand,
    free: Semaphore,
    workers: usize,
    queued: AtomicU64,
    inner: Mutex<Inner>,
    living: Arc<Living>,
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Inner {
    /// Workers that wait for a call, the one used last at the end.
    idle: Vec<Seat>,
    started: u64,
    deaths: u64,
    last_death: Option<String>,
}

/// How the workers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// The workers that live.
    pub workers: Vec<WorkerInfo>,
    /// Workers started since the pool was made.
    pub started: u64,
    /// Workers that did not end in order.
    pub deaths: u64,
    /// How the newest of them ended.
    pub last_death: Option<String>,
}

/// A worker that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    /// The number of its process.
    pub pid: u32,
    /// Which protections hold it.
    pub sandbox: Sandbox,
}

impl WorkerPool {
    /// Creates a pool of at most `workers` processes (at least one); starts none yet.
    #[must_use]
    pub fn new(command: WorkerCommand, workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            command,
            free: Semaphore::new(workers),
            workers,
            queued: AtomicU64::new(0),
            inner: Mutex::default(),
            living: Arc::default(),
            closing: CancellationToken::new(),
        }
    }

    /// Calls a function in a free worker. The budget's time begins when the worker has the call.
    ///
    /// When the future is dropped, the worker is killed.
    ///
    /// # Errors
    /// As [`Worker::call`]; [`Error::Unavailable`] when no worker is free within 30 seconds or
    /// none can be started.
    pub async fn call(&self, spec: CallSpec, host: &dyn HostCalls) -> Result<CallDone, Error> {
        self.until_closing(async {
            let _permit = self.permit().await?;
            let mut seat = self.seat(&spec.script).await?;
            let outcome = seat.worker.call(spec, host).await;
            self.put_back(seat);
            outcome
        })
        .await
    }

    /// Compiles a script without running it. The worker keeps it when it compiles.
    ///
    /// # Errors
    /// [`Error::Failed`] when the worker did not survive it, [`Error::Unavailable`] as for
    /// [`WorkerPool::call`]; what is wrong with the script stands in the value.
    pub async fn check(&self, script: &Arc<ScriptSource>) -> Result<Compiled, Error> {
        self.until_closing(async {
            let _permit = self.permit().await?;
            let mut seat = self.seat(script).await?;
            let compiled = seat.worker.load(script).await;
            self.put_back(seat);
            compiled
        })
        .await
    }

    /// Lets the idle workers forget a script; one that is busy forgets it when it is replaced.
    pub async fn forget(&self, script: &str) {
        let idle = std::mem::take(&mut self.inner().idle);
        for mut seat in idle {
            if let Err(error) = seat.worker.unload(script).await {
                tracing::warn!(script.name = script, %error, "a worker could not forget a script");
            }
            self.put_back(seat);
        }
    }

    /// Returns how the workers are.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        let inner = self.inner();
        PoolStatus {
            workers: self.living.entries().values().cloned().collect(),
            started: inner.started,
            deaths: inner.deaths,
            last_death: inner.last_death.clone(),
        }
    }

    /// Stops: calls that run end with [`Error::Unavailable`], and all workers are ended.
    pub async fn shutdown(&self) {
        self.closing.cancel();
        let all = u32::try_from(self.workers).unwrap_or(u32::MAX);
        // The calls that run give their workers back, or drop them, at once.
        let waited = timeout(SHUTDOWN_LIMIT, self.free.acquire_many(all)).await;
        let idle = std::mem::take(&mut self.inner().idle);
        for mut seat in idle {
            seat.worker.shutdown(SHUTDOWN_LIMIT).await;
        }
        drop(waited);
        self.free.close();
    }

    async fn until_closing<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(stopping()),
            outcome = work => outcome,
        }
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.free.try_acquire() {
            return Ok(permit);
        }
        let _queued = Queued::enter(&self.queued)?;
        match timeout(QUEUE_LIMIT, self.free.acquire()).await {
            Ok(permit) => permit.map_err(|_| stopping()),
            Err(_) => Err(Error::Unavailable(format!(
                "all {} script workers were busy for {QUEUE_LIMIT:?}; try again later",
                self.workers
            ))),
        }
    }

    /// Takes a worker that waits, rather one that holds the script; starts one when none does.
    async fn seat(&self, script: &ScriptSource) -> Result<Seat, Error> {
        if let Some(seat) = self.take_idle(script) {
            return Ok(seat);
        }
        let worker = Worker::start(&self.command).await?;
        self.inner().started += 1;
        Ok(Seat::new(worker, &self.living))
    }

    fn take_idle(&self, script: &ScriptSource) -> Option<Seat> {
        let mut inner = self.inner();
        loop {
            let holder = inner
                .idle
                .iter()
                .rposition(|seat| seat.worker.holds(script));
            let mut seat = match holder {
                Some(at) => inner.idle.remove(at),
                None => inner.idle.pop()?,
            };
            if seat.worker.is_usable() {
                return Some(seat);
            }
            inner.bury(&seat.worker);
        }
    }

    fn put_back(&self, mut seat: Seat) {
        let mut inner = self.inner();
        if seat.worker.is_usable() {
            inner.idle.push(seat);
        } else {
            inner.bury(&seat.worker);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn bury(&mut self, worker: &Worker) {
        let death = worker.death().unwrap_or("it ended while nothing ran in it");
        tracing::warn!(
            worker.pid = worker.pid(),
            cause = death,
            "a script worker ended"
        );
        self.deaths += 1;
        self.last_death = Some(death.to_owned());
    }
}

/// What is told of the workers that live, by the number of their process.
#[derive(Debug, Default)]
struct Living(Mutex<BTreeMap<u32, WorkerInfo>>);

impl Living {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<u32, WorkerInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker that is told of among the living until it is dropped.
#[derive(Debug)]
struct Seat {
    worker: Worker,
    living: Arc<Living>,
}

impl Seat {
    fn new(worker: Worker, living: &Arc<Living>) -> Self {
        let info = WorkerInfo {
            pid: worker.pid(),
            sandbox: worker.sandbox().clone(),
        };
        living.entries().insert(info.pid, info);
        Self {
            worker,
            living: Arc::clone(living),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.living.entries().remove(&self.worker.pid());
    }
}

fn stopping() -> Error {
    Error::Unavailable("the script engine is stopping".to_owned())
}

/// A place in the queue for a worker.
struct Queued<'a>(&'a AtomicU64);

impl<'a> Queued<'a> {
    fn enter(queued: &'a AtomicU64) -> Result<Self, Error> {
        let before = queued.fetch_add(1, Ordering::SeqCst);
        let place = Self(queued);
        if before >= QUEUE_MAX as u64 {
            let cause = format!("{QUEUE_MAX} calls wait for a script worker; try again later");
            return Err(Error::Unavailable(cause));
        }
        Ok(place)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
