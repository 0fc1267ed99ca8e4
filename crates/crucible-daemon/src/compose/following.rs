//! Follows the events of the daemon that serves the vault, through its restarts.
//!
//! What the daemon tells goes to a gateway in this process. Where it is not known what happened,
//! because the daemon was away or has forgotten, the gateway is told that anything may have.

use std::sync::Arc;
use std::time::Duration;

use crucible_api::client::{EventTail, Told};
use crucible_mcp::McpService;
use crucible_services::events::EventFilter;
use crucible_services::ids::EventId;
use crucible_services::service_traits::ServiceLifecycle as _;
use tokio::time::Instant;

use super::link::Link;
use crate::access::answering;
use crate::instance;
use crate::location::Location;

/// How long to wait before the daemon is looked for again; twice as long each time it is in vain.
const WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait, and how long a stream must have lasted for the next wait to be short again.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// One gateway's ear at the daemon.
pub(super) struct Follower {
    location: Location,
    link: Arc<Link>,
    service: Arc<McpService>,
    wanted: EventFilter,
    /// The event that was heard last.
    seen: Option<EventId>,
}

impl Follower {
    pub(super) fn new(location: Location, link: Arc<Link>, service: Arc<McpService>) -> Self {
        let types = service.subscriptions().into_iter();
        let wanted = EventFilter {
            types: types.flat_map(|filter| filter.types).collect(),
            ..EventFilter::all()
        };
        Self {
            location,
            link,
            service,
            wanted,
            seen: None,
        }
    }

    /// Finds the daemon and begins to listen to it; `None` when there is none that answers.
    pub(super) async fn connect(&self) -> Option<EventTail> {
        let holder = instance::running(&self.location)?;
        let client = answering(&self.location, &holder).await?;
        match client.tail_events(&self.wanted, self.seen).await {
            Ok(tail) => {
                self.link.switch(client);
                Some(tail)
            }
            Err(error) => {
                tracing::debug!(%error, "the daemon tells no events");
                None
            }
        }
    }

    /// Listens to `tail`, and then to what is found after it; ends when it is dropped.
    pub(super) async fn run(mut self, mut tail: Option<EventTail>) {
        let mut wait = WAIT_MIN;
        loop {
            if let Some(tail) = tail {
                let begun = Instant::now();
                self.listen(tail).await;
                if begun.elapsed() >= WAIT_MAX {
                    wait = WAIT_MIN;
                }
                tracing::debug!("the daemon tells no events any more; it is looked for again");
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
            tail = self.connect().await;
            if tail.is_some() {
                tracing::info!("the daemon was found again");
                if self.seen.is_none() {
                    // There is nothing to go on from.
                    self.service.anything_may_have_changed();
                }
            }
        }
    }

    /// Passes on what is told until the stream ends.
    async fn listen(&mut self, mut tail: EventTail) {
        while let Some(told) = tail.next().await {
            match told {
                Ok(Told::Event(event)) => {
                    self.seen = Some(event.id);
                    if let Err(error) = self.service.handle_event(&event).await {
                        tracing::debug!(%error, "an event was not taken over");
                    }
                }
                Ok(Told::Missed(_)) => self.service.anything_may_have_changed(),
                Err(error) => {
                    tracing::debug!(%error, "the stream of events broke off");
                    return;
                }
            }
        }
    }
}
