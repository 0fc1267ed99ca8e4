//! The task that keeps the scripts in line with their folder.
//!
//! The system's hints make it quick, looking every so often makes it sure: a folder that does not
//! exist yet, or a file system without hints, is noticed all the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::engine::Engine;

/// How long files must be quiet after a hint.
const QUIET: Duration = Duration::from_millis(100);
/// The longest wait for quiet.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// How often the folder is looked at without a hint.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Follows the folder until the engine stops; idle workers are ended on the way.
pub(crate) async fn follow(engine: Arc<Engine>) {
    let (hint, mut hints) = mpsc::channel::<()>(1);
    let config = Arc::clone(&engine.caller.desk.config);
    let mut watcher = None;
    loop {
        if watcher.is_none() {
            watcher = watch(&config.scripts_dir, hint.clone());
            if watcher.is_some() {
                // What changed before the watch began gives no hint.
                engine.scan().await;
            }
        }
        tokio::select! {
            () = engine.token.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = hints.recv() => {
                tokio::select! {
                    () = engine.token.cancelled() => return,
                    () = quiet(&mut hints) => {}
                }
            }
        }
        engine.scan().await;
        engine.caller.runner.end_idle(config.worker_idle()).await;
        if !config.scripts_dir.is_dir() {
            watcher = None;
        }
    }
}

/// Waits until no hint has come for a while.
async fn quiet(hints: &mut mpsc::Receiver<()>) {
    let settle = async {
        while tokio::time::timeout(QUIET, hints.recv())
            .await
            .is_ok_and(|hint| hint.is_some())
        {}
    };
    // Files that never rest are read as they are.
    let _restless = tokio::time::timeout(QUIET_MAX, settle).await;
}

fn watch(folder: &Path, hint: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    if !folder.is_dir() {
        return None;
    }
    let told = move |event: notify::Result<Event>| {
        // Reading files is no change of them.
        let is_change = event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_)));
        if is_change {
            // One waiting hint says as much as many.
            let _waiting = hint.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(told)
        .inspect_err(|error| tracing::warn!(%error, "the folder of scripts is looked at every 10 s instead of watched"))
        .ok()?;
    match watcher.watch(folder, RecursiveMode::Recursive) {
        Ok(()) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the folder of scripts is looked at every 10 s instead of watched");
            None
        }
    }
}
