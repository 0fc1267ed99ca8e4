//! Lets calls in while the gateway is open, and only so many at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio_util::sync::CancellationToken;

/// How long calls that were cancelled may take to notice.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// Open from its creation until it is closed; can be opened again.
#[derive(Debug)]
pub(crate) struct Gate {
    calls_max: u32,
    run: Mutex<Run>,
}

/// The time from one opening to the closing after it.
#[derive(Clone, Debug)]
struct Run {
    is_open: bool,
    /// Is cancelled when calls must end.
    abort: CancellationToken,
    permits: Arc<Semaphore>,
}

/// The right to make one call.
#[derive(Debug)]
pub(crate) struct Pass {
    /// Is cancelled when the call must end.
    pub(crate) abort: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

/// Why a call was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many calls as may be are in flight.
    Busy,
    /// The gate is closed.
    Closed,
}

impl Gate {
    /// Creates an open gate.
    pub(crate) fn new(calls_max: usize) -> Self {
        let calls_max = u32::try_from(calls_max.max(1)).unwrap_or(u32::MAX / 8);
        Self {
            calls_max,
            run: Mutex::new(Run::new(calls_max)),
        }
    }

    /// Lets a call in, or says why not.
    pub(crate) fn enter(&self) -> Result<Pass, Refusal> {
        let run = self.run();
        if !run.is_open {
            return Err(Refusal::Closed);
        }
        match Arc::clone(&run.permits).try_acquire_owned() {
            Ok(permit) => Ok(Pass {
                abort: run.abort.clone(),
                _permit: permit,
            }),
            Err(TryAcquireError::NoPermits) => Err(Refusal::Busy),
            Err(TryAcquireError::Closed) => Err(Refusal::Closed),
        }
    }

    /// Returns how many calls are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        let free = self.run().permits.available_permits();
        (self.calls_max as usize).saturating_sub(free)
    }

    /// Opens the gate; nothing changes if it is open.
    pub(crate) fn open(&self) {
        let mut run = self.lock();
        if !run.is_open {
            *run = Run::new(self.calls_max);
        }
    }

    /// Refuses new calls, waits for those in flight, and cancels them after `drain`.
    ///
    /// Returns false when some did not even notice that they were cancelled.
    pub(crate) async fn close(&self, drain: Duration) -> bool {
        let run = {
            let mut run = self.lock();
            run.is_open = false;
            run.clone()
        };
        if self.wait_for_all(&run, drain).await {
            run.abort.cancel();
            return true;
        }
        run.abort.cancel();
        self.wait_for_all(&run, CANCEL_GRACE).await
    }

    async fn wait_for_all(&self, run: &Run, deadline: Duration) -> bool {
        let all = run.permits.acquire_many(self.calls_max);
        tokio::time::timeout(deadline, all).await.is_ok()
    }

    fn run(&self) -> Run {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn new(calls_max: u32) -> Self {
        Self {
            is_open: true,
            abort: CancellationToken::new(),
            permits: Arc::new(Semaphore::new(calls_max as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_calls_as_may_be_are_let_in() {
        let gate = Gate::new(2);
        let first = gate.enter().unwrap();
        let _second = gate.enter().unwrap();
        assert_eq!(gate.enter().unwrap_err(), Refusal::Busy);
        assert_eq!(gate.in_flight(), 2);
        drop(first);
        assert!(gate.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn closing_waits_then_cancels_then_gives_up() {
        let gate = Gate::new(2);
        let pass = gate.enter().unwrap();
        assert!(!gate.close(Duration::from_secs(10)).await);
        assert!(pass.abort.is_cancelled());
        assert_eq!(gate.enter().unwrap_err(), Refusal::Closed);

        gate.open();
        let again = gate.enter().unwrap();
        assert!(!again.abort.is_cancelled());
        drop(again);
        assert!(gate.close(Duration::from_secs(10)).await);
    }
}
