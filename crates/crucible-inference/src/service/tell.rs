//! Tells what happens, from threads and tasks that must not wait for it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventPublisher, EventSource, EventType, InferenceEventType,
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::figures::{Figures, Totals};
use super::queue::Queue;
use super::settings::Settings;

/// How many events wait to be told; one more is dropped, and logged.
const WAITING_MAX: usize = 256;
/// How long one event may take to be accepted; then it is dropped, and logged.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// Hands events to the task that tells them. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Teller(mpsc::Sender<InferenceEventType>);

impl Teller {
    /// Creates one, and the end at which its events come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<InferenceEventType>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Tells an event soon; never waits.
    pub(super) fn tell(&self, event: InferenceEventType) {
        if let Err(error) = self.0.try_send(event) {
            tracing::warn!(%error, "an event of the inference engine was not told");
        }
    }
}

/// What the task needs.
#[derive(Debug)]
pub(super) struct Telling {
    /// Where to tell.
    pub events: Arc<dyn EventPublisher>,
    /// What was done.
    pub figures: Arc<Figures>,
    /// What waits.
    pub queue: Arc<Queue>,
    /// How often to tell usage.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Ends it.
    pub token: CancellationToken,
}

impl Telling {
    /// Tells events until all tellers are gone, or until the token is cancelled and none waits.
    pub(super) async fn run(self, mut waiting: mpsc::Receiver<InferenceEventType>) {
        let mut told = self.figures.totals();
        let mut due = Instant::now() + self.interval();
        loop {
            tokio::select! {
                biased;
                event = waiting.recv() => match event {
                    Some(event) => self.publish(event).await,
                    None => break,
                },
                () = self.token.cancelled() => break,
                () = tokio::time::sleep_until(due) => {
                    due = Instant::now() + self.interval();
                    told = self.tell_usage(told).await;
                }
            }
        }
        self.tell_usage(told).await;
    }

    fn interval(&self) -> Duration {
        self.settings.load().config.usage_interval
    }

    /// Tells what was done since `told`, if anything was or waits; returns what is told now.
    async fn tell_usage(&self, told: Totals) -> Totals {
        let now = self.figures.totals();
        let queued = self.queue.len() as u64;
        if now != told || queued > 0 {
            self.publish(InferenceEventType::Usage {
                requests: now.requests - told.requests,
                texts: now.texts - told.texts,
                tokens: now.tokens - told.tokens,
                queued,
            })
            .await;
        }
        now
    }

    async fn publish(&self, event: InferenceEventType) {
        let event = DaemonEvent::new(
            EventType::Inference(event),
            EventSource::service(super::NAME),
            EventPayload::json(json!({})),
        );
        let published = self.events.publish(event);
        match tokio::time::timeout(PUBLISH_DEADLINE, published).await {
            Ok(Ok(_receipt)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an event was not routed"),
            Err(_elapsed) => tracing::warn!("an event was not accepted in time and is dropped"),
        }
    }
}
