//! The one thread that starts workers.
//!
//! On Linux a worker asks to be killed when its parent ends, and the kernel takes the *thread* that
//! started it for the parent. Threads of an async runtime come and go, so workers are started from
//! a thread that lives as long as the process.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use tokio::sync::oneshot;

/// How many starts may wait; more are refused.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

static QUEUE_IN: OnceLock<Option<SyncSender<Job>>> = OnceLock::new();

/// Runs `start` on the thread that starts workers.
///
/// # Errors
/// When the thread cannot be had.
pub(super) async fn run<T, F>(start: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let queue = QUEUE_IN.get_or_init(launch).as_ref();
    let queue = queue.ok_or_else(|| io::Error::other("no thread for starting workers"))?;
    let (answer, answered) = oneshot::channel();
    let job: Job = Box::new(move || {
        if let Err(unwanted) = answer.send(start()) {
            drop(unwanted);
        }
    });
    queue.try_send(job).map_err(|refused| match refused {
        TrySendError::Full(_) => io::Error::other("too many workers are being started"),
        TrySendError::Disconnected(_) => io::Error::other("no thread for starting workers"),
    })?;
    answered
        .await
        .map_err(|_| io::Error::other("the start was given up"))?
}

fn launch() -> Option<SyncSender<Job>> {
    let (sender, receiver) = sync_channel::<Job>(QUEUE);
    let thread = thread::Builder::new().name("script-spawner".to_owned());
    let started = thread.spawn(move || {
        for job in receiver {
            job();
        }
    });
    started.is_ok().then_some(sender)
}
