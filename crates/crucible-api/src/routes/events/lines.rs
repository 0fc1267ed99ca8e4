//! A feed as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use crucible_services::events::DaemonEvent;
use futures_util::Stream;

use super::feed::{Feed, Told};

/// How long a reader waits before it comes back after the stream broke.
const RETRY: Duration = Duration::from_secs(2);

/// What goes out on one stream, as lines.
pub(super) struct Lines {
    feed: Feed,
    /// Whether events carry their names.
    named: bool,
    /// Whether the first line has gone out: it makes headers go out at once, so that the reader
    /// knows that it is heard.
    greeted: bool,
}

impl Lines {
    pub(super) const fn new(feed: Feed, named: bool) -> Self {
        Self {
            feed,
            named,
            greeted: false,
        }
    }

    /// Ends with the feed.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures_util::stream::unfold(self, |mut lines| async {
            let event = lines.next().await?;
            Some((Ok(event), lines))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            return Some(Event::default().comment("connected").retry(RETRY));
        }
        Some(match self.feed.next().await? {
            Told::Event(event) => event_line(&event, self.named),
            Told::Missed(count) => missed_event(count),
        })
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
