//! One reader's view of the events: first what it missed while away, then what happens.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use crucible_core::{EventSubscription, Received};
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
    /// An event that the reader missed.
    Past(Arc<DaemonEvent>),
}

/// What goes out on one stream, in order.
pub(super) struct Feed {
    /// At most what the core remembers, and two more.
    ready: VecDeque<Ready>,
    /// Events that went out from memory and will come through the subscription once more.
    replayed: HashSet<EventId>,
    subscription: EventSubscription,
    closing: CancellationToken,
    /// Whether events carry their names.
    named: bool,
    /// Frees the reader's place when the stream ends.
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// Subscribes, then looks back: no event can fall between the two, and one that is in both is
    /// told once.
    pub(super) fn open(
        state: &ApiState,
        filter: &EventFilter,
        last_seen: Option<EventId>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let core = &state.parts.core;
        let subscription = core.subscribe_events(filter.clone());
        let mut ready = VecDeque::from([Ready::Greeting]);
        let mut replayed = HashSet::new();
        if let Some(last_seen) = last_seen {
            let past = core.recent(&EventFilter::all(), usize::MAX);
            let (forgotten, rest) = after(&past, last_seen);
            if forgotten {
                ready.push_back(Ready::Forgotten);
            }
            for event in rest.iter().filter(|event| filter.matches(event)) {
                replayed.insert(event.id);
                ready.push_back(Ready::Past(Arc::clone(event)));
            }
        }
        Self {
            ready,
            replayed,
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
            Some(Ready::Past(event)) => return Some(event_line(&event, self.named)),
            None => {}
        }
        loop {
            let received = tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                received = self.subscription.recv() => received?,
            };
            match received {
                Received::Event(event) if self.replayed.remove(&event.id) => {}
                Received::Event(event) => return Some(event_line(&event, self.named)),
                Received::Missed(count) => return Some(missed_event(Some(count))),
            }
        }
    }
}

/// Returns the events after `last_seen`, and whether some before them are forgotten.
fn after(past: &[Arc<DaemonEvent>], last_seen: EventId) -> (bool, &[Arc<DaemonEvent>]) {
    match past.iter().position(|event| event.id == last_seen) {
        Some(index) => (false, &past[index + 1..]),
        None => (true, past),
    }
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
