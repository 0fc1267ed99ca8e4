//! Owned background tasks: every task has a name, an owner that joins it, and a token that ends it.
//!
//! A panic inside a task is caught at its boundary, counted and reported; it never takes its
//! owner with it. Blocking work that ignores the token cannot be killed: [`TaskOwner::shutdown`]
//! says which tasks were still alive at its deadline.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Spawns tasks, remembers their names while they live, and joins them at the end.
///
/// Cheap to clone: all clones own the same tasks.
#[derive(Clone, Debug)]
pub struct TaskOwner {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    token: CancellationToken,
    tracker: TaskTracker,
    alive: Mutex<BTreeMap<u64, String>>,
    next: AtomicU64,
    panics: AtomicU64,
    panicked: Notify,
}

impl TaskOwner {
    /// Creates an owner; `name` prefixes its tasks' names in logs.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_token(name, CancellationToken::new())
    }

    /// Creates an owner whose tasks end when `token` is cancelled.
    #[must_use]
    pub fn with_token(name: impl Into<String>, token: CancellationToken) -> Self {
        Self {
            inner: Arc::new(Inner {
                name: name.into(),
                token,
                tracker: TaskTracker::new(),
                alive: Mutex::new(BTreeMap::new()),
                next: AtomicU64::new(0),
                panics: AtomicU64::new(0),
                panicked: Notify::new(),
            }),
        }
    }

    /// Returns the token that asks the tasks to end; long loops wait on it.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.inner.token
    }

    /// Runs `work` in the background until it ends by itself.
    ///
    /// The owner does not abort it: `work` must watch [`TaskOwner::token`] if it can last.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner through which everything else spawns"
    )]
    pub fn spawn<F>(&self, name: impl Into<String>, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let span = tracing::info_span!("task", task.owner = %self.inner.name, task.name = %name);
        let guard = self.register(&name);
        let inner = Arc::clone(&self.inner);
        let body = async move {
            let outcome = AssertUnwindSafe(work).catch_unwind().await;
            drop(guard);
            if let Err(panic) = outcome {
                inner.panics.fetch_add(1, Ordering::SeqCst);
                inner.panicked.notify_waiters();
                tracing::error!(
                    task.name = %name,
                    error = panic_message(panic.as_ref()),
                    "background task panicked"
                );
            }
        };
        tokio::spawn(self.inner.tracker.track_future(body.instrument(span)));
    }

    /// Returns the names of the tasks that are alive now.
    #[must_use]
    pub fn alive(&self) -> Vec<String> {
        let alive = self
            .inner
            .alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        alive.values().cloned().collect()
    }

    /// Returns how many tasks have ended by panicking.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.inner.panics.load(Ordering::SeqCst)
    }

    /// Waits until more than `seen` tasks have ended by panicking, and returns how many have.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn panicked(&self, seen: u64) -> u64 {
        loop {
            let mut panicked = std::pin::pin!(self.inner.panicked.notified());
            panicked.as_mut().enable();
            let panics = self.panics();
            if panics > seen {
                return panics;
            }
            panicked.await;
        }
    }

    /// Cancels the token and waits for all tasks, at most `deadline`.
    ///
    /// # Errors
    /// The names of the tasks that were still alive at the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), Vec<String>> {
        self.inner.token.cancel();
        self.inner.tracker.close();
        match tokio::time::timeout(deadline, self.inner.tracker.wait()).await {
            Ok(()) => Ok(()),
            Err(_elapsed) => Err(self.alive()),
        }
    }

    fn register(&self, name: &str) -> AliveGuard {
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let mut alive = self
            .inner
            .alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        alive.insert(key, name.to_owned());
        AliveGuard {
            inner: Arc::clone(&self.inner),
            key,
        }
    }
}

/// Strikes the task from the list of the living, however it ends.
struct AliveGuard {
    inner: Arc<Inner>,
    key: u64,
}

impl Drop for AliveGuard {
    fn drop(&mut self) {
        let mut alive = self
            .inner
            .alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        alive.remove(&self.key);
    }
}

/// Returns the text of a caught panic, or a stand-in when its payload is not text.
#[must_use]
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic with a payload that is not text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shutdown_joins_tasks_that_watch_the_token() {
        let owner = TaskOwner::new("test");
        let token = owner.token().clone();
        owner.spawn("waiter", async move { token.cancelled().await });
        assert_eq!(owner.alive(), ["waiter"]);
        owner.shutdown(Duration::from_secs(1)).await.unwrap();
        assert!(owner.alive().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_names_the_task_that_does_not_end() {
        let owner = TaskOwner::new("test");
        owner.spawn("stubborn", std::future::pending());
        assert_eq!(
            owner.shutdown(Duration::from_secs(1)).await,
            Err(vec!["stubborn".to_owned()])
        );
    }

    #[tokio::test]
    async fn panic_in_a_task_is_counted_and_contained() {
        let owner = TaskOwner::new("test");
        owner.spawn("bad", async { panic!("boom") });
        assert_eq!(owner.panicked(0).await, 1);
        owner.shutdown(Duration::from_secs(5)).await.unwrap();
        assert_eq!(owner.panics(), 1);
    }
}
