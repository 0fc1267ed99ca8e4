//! The task of one script: takes jobs from its queue and does them, one after the other.

use std::sync::Arc;
use std::time::Duration;

use crate::calling::Caller;
use crate::slot::Slot;

/// How long the call that runs may go on when the engine stops or the script is removed.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves a script until its token is cancelled; then the call that runs may end, what waits is
/// given up.
pub(crate) async fn serve(caller: Caller, slot: Arc<Slot>) {
    slot.queue.open();
    loop {
        let job = tokio::select! {
            biased;
            () = slot.token.cancelled() => break,
            job = slot.queue.next() => job,
        };
        let drained = async {
            slot.token.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            () = caller.work(&slot, job) => {}
            () = drained => {
                tracing::warn!(script.name = %slot.name, "a script call was ended: the engine stops");
                break;
            }
        }
    }
    let left = slot.queue.close();
    if left > 0 {
        tracing::info!(script.name = %slot.name, events = left, "events that waited for a script were given up");
    }
}
