//! One reader's view of the events: first what it missed while away, then what happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use crucible_core::{CrucibleCore, EventSubscription, Received};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::ids::EventId;
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::state::ApiState;

/// How long a reader waits before it comes back after the stream broke.
const RETRY: Duration = Duration::from_secs(2);

/// What can go out before the first live event.
enum Ready {
    /// Makes headers go out at once, so that the reader knows that it is heard.
    Greeting,
    /// Some events before the next are forgotten, nobody knows how many.
    Forgotten,
    /// The oldest event that is remembered.
    Oldest(Arc<DaemonEvent>),
}

/// What goes out on one stream, in order.
pub(super) struct Feed {
    /// At most one of each.
    ready: VecDeque<Ready>,
    subscription: EventSubscription,
    closing: CancellationToken,
    /// Whether events carry their names.
    named: bool,
    /// Frees the reader's place when the stream ends.
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// Begins after `last_seen`, or with the oldest event that is remembered when that one is
    /// forgotten, or with what happens from now on.
    pub(super) fn open(
        state: &ApiState,
        filter: EventFilter,
        last_seen: Option<EventId>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let core = &state.parts.core;
        let mut ready = VecDeque::from([Ready::Greeting]);
        let subscription = last_seen
            .and_then(|id| resume(core, &filter, id, &mut ready))
            .unwrap_or_else(|| core.subscribe_events(filter));
        Self {
            ready,
            subscription,
            closing: state.closing.clone(),
            named: true,
            _permit: permit,
        }
    }

    /// Says whether events carry their names.
    pub(super) const fn named(mut self, named: bool) -> Self {
        self.named = named;
        self
    }

    /// Ends when the API closes or the core has stopped.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, |mut feed| async {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        match self.ready.pop_front() {
            Some(Ready::Greeting) => {
                return Some(Event::default().comment("connected").retry(RETRY));
            }
            Some(Ready::Forgotten) => return Some(missed_event(None)),
            Some(Ready::Oldest(event)) => return Some(event_line(&event, self.named)),
            None => {}
        }
        // What was told before the end still goes out, the end itself included; a reader that does
        // not keep up is cut at the drain deadline.
        let received = tokio::select! {
            biased;
            received = self.subscription.recv() => received?,
            () = self.closing.cancelled() => return None,
        };
        Some(match received {
            Received::Event(event) => event_line(&event, self.named),
            Received::Missed(count) => missed_event(Some(count)),
        })
    }
}

/// Subscribes after `last_seen`, or from the oldest event on when that one is forgotten; what must
/// go out before is put into `ready`. `None` when there is no past at all.
fn resume(
    core: &CrucibleCore,
    filter: &EventFilter,
    last_seen: EventId,
    ready: &mut VecDeque<Ready>,
) -> Option<EventSubscription> {
    if let Some(rest) = core.subscribe_events_after(filter.clone(), last_seen) {
        return Some(rest);
    }
    ready.push_back(Ready::Forgotten);
    let past = core.recent(&EventFilter::all(), usize::MAX);
    let oldest = past.into_iter().next()?;
    let rest = core.subscribe_events_after(filter.clone(), oldest.id)?;
    if filter.matches(&oldest) {
        ready.push_back(Ready::Oldest(oldest));
    }
    Some(rest)
}

fn event_line(event: &DaemonEvent, named: bool) -> Event {
    let data = match serde_json::to_string(event) {
        Ok(json) => json,
        Err(error) => {
            tracing::error!(event.id = %event.id, %error, "event cannot be written as JSON");
            return Event::default().comment("an event could not be written as JSON");
        }
    };
    let line = Event::default().id(event.id.to_string()).data(data);
    if named {
        // A custom name may hold anything, but a field of the stream must be one line.
        line.event(event.event_type.name().replace(char::is_control, " "))
    } else {
        line
    }
}

/// Says that events were missed; `None` when nobody knows how many.
fn missed_event(count: Option<u64>) -> Event {
    Event::default()
        .event("missed")
        .data(serde_json::json!({ "count": count }).to_string())
}
