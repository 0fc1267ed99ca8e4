//! One run of the engine, from start to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use crucible_services::service_traits::{ServiceContext, ServiceError};
use tokio_util::sync::CancellationToken;

use super::figures::Figures;
use super::queue::Queue;
use super::settings::Settings;
use super::tell::{Teller, Telling};
use super::worker::Worker;

/// How long requests that somebody waits for may still take when the engine stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(3);
/// How long the thread may take to end after it was told to: it looks between two layers, and
/// while it loads a model not at all.
const END_DEADLINE: Duration = Duration::from_secs(15);

/// A worker that runs, and the way to it.
#[derive(Debug)]
pub(super) struct Run {
    /// What waits for it.
    pub queue: Arc<Queue>,
    /// Where to tell events.
    pub teller: Teller,
    stop: Arc<AtomicBool>,
    ended: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Run {
    /// Starts the thread, and the task that tells.
    pub(super) fn start(
        context: &ServiceContext,
        settings: &Arc<ArcSwap<Settings>>,
        figures: &Arc<Figures>,
    ) -> Result<Self, ServiceError> {
        let queue = Arc::new(Queue::default());
        let stop = Arc::new(AtomicBool::new(false));
        let ended = CancellationToken::new();
        let (teller, waiting) = Teller::new();
        let worker = Worker::new(
            Arc::clone(&queue),
            Arc::clone(settings),
            Arc::clone(figures),
            Arc::clone(&stop),
            teller.clone(),
        );
        let guard = ended.clone().drop_guard();
        let thread = std::thread::Builder::new()
            .name(super::NAME.to_owned())
            .spawn(move || {
                let _ended = guard;
                worker.run();
            })
            .map_err(|error| {
                ServiceError::Failed(format!("no thread could be started: {error}"))
            })?;
        let telling = Telling {
            events: Arc::clone(&context.events),
            figures: Arc::clone(figures),
            queue: Arc::clone(&queue),
            settings: Arc::clone(settings),
            token: context.tasks.token().clone(),
        };
        context.tasks.spawn("tell", telling.run(waiting));
        Ok(Self {
            queue,
            teller,
            stop,
            ended,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Says whether the thread has not ended.
    pub(super) fn is_alive(&self) -> bool {
        !self.ended.is_cancelled()
    }

    /// Refuses new work, lets those finish who wait, gives up the rest, and joins the thread.
    pub(super) async fn stop(&self) -> Result<(), ServiceError> {
        self.queue.close();
        let drained = tokio::time::timeout(DRAIN_DEADLINE, self.ended.cancelled());
        if drained.await.is_err() {
            self.stop.store(true, Ordering::Relaxed);
            let ended = tokio::time::timeout(END_DEADLINE, self.ended.cancelled());
            ended.await.map_err(|_elapsed| {
                ServiceError::Failed(format!(
                    "the thread that computes embeddings did not end within {} s",
                    END_DEADLINE.as_secs()
                ))
            })?;
        }
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // It has let go of everything and is about to end.
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                return Err(ServiceError::Failed(
                    "the thread that computes embeddings panicked".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

impl Drop for Run {
    /// A run that nobody stopped ends all the same, as soon as it can.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.close();
    }
}
