//! How one run of a service ends: drain, stop, join.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::router::Instance;
use crucible_services::service_traits::ServiceLifecycle;
use crucible_services::tasks::TaskOwner;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::guarded;
use super::message::Done;

/// How long the event in hand may go on when a service that broke down is taken away from it.
const IN_HAND_GRACE: Duration = Duration::from_secs(1);

/// The end of one run.
pub(super) struct WindDown {
    pub(super) run_id: u64,
    pub(super) service: Arc<dyn ServiceLifecycle>,
    pub(super) instance: Arc<Instance>,
    /// The background tasks, if the service was started at all.
    pub(super) tasks: Option<TaskOwner>,
    /// Is cancelled when a call of `start` that was interrupted has really ended.
    pub(super) start_ended: CancellationToken,
    /// Whether `stop` is called: not when `start` itself refused.
    pub(super) calls_stop: bool,
    /// Whether the service stops for good: mail is handled first and what is left thrown away.
    pub(super) is_final: bool,
    /// For everything together.
    pub(super) deadline: Duration,
}

impl WindDown {
    /// Runs to the end and tells the supervisor.
    pub(super) async fn run(self, done: mpsc::Sender<Done>) {
        let begun = Instant::now();
        let mut faults = Vec::new();
        if self.is_final {
            let left = self.instance.drain(self.deadline / 3).await;
            if left > 0 {
                tracing::warn!(
                    service.name = %self.instance.id().service,
                    events = left,
                    "events were not handled before the service stopped"
                );
            }
            self.instance.pause(Duration::ZERO).await;
        } else {
            self.instance.pause(IN_HAND_GRACE).await;
        }
        let run_id = self.run_id;
        if done.send(Done::Drained { run_id }).await.is_err() {
            return;
        }
        let grace = Duration::from_secs(1);
        let _ended = tokio::time::timeout(grace, self.start_ended.cancelled())
            .await
            .is_ok();
        if self.calls_stop {
            let deadline = rest(begun, self.deadline * 5 / 6);
            let never = CancellationToken::new();
            let stop = guarded(deadline, &never, || self.service.stop());
            if let Err(error) = stop.await {
                faults.push(format!("failed to stop: {error}"));
            }
        }
        if let Some(tasks) = self.tasks
            && let Err(names) = tasks.shutdown(rest(begun, self.deadline)).await
        {
            faults.push(format!("background tasks do not end: {}", names.join(", ")));
        }
        if self.is_final {
            self.instance.discard().await;
        }
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        // When nobody listens the core is gone.
        let _told = done.send(Done::WoundDown { run_id, fault }).await.is_ok();
    }
}

/// Returns what is left of `deadline`, and always a moment.
fn rest(begun: Instant, deadline: Duration) -> Duration {
    deadline
        .saturating_sub(begun.elapsed())
        .max(Duration::from_millis(100))
}
