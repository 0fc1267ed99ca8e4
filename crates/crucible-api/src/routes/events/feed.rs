//! One reader's view of the events: first what it missed while away, then what happens.

use std::collections::VecDeque;
use std::sync::Arc;

use crucible_core::{CrucibleCore, EventSubscription, Received};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::ids::EventId;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, Code};
use crate::state::ApiState;

/// What a stream tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// An event.
    Event(Arc<DaemonEvent>),
    /// Events were left out at this place; `None` when nobody knows how many.
    Missed(Option<u64>),
}

/// What goes out on one stream, in order.
#[derive(Debug)]
pub(crate) struct Feed {
    /// What goes out before the first live event; at most two.
    ready: VecDeque<Told>,
    subscription: EventSubscription,
    closing: CancellationToken,
    /// Frees the reader's place when the stream ends.
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    /// Begins after `last_seen`, or with the oldest event that is remembered when that one is
    /// forgotten, or with what happens from now on.
    ///
    /// # Errors
    /// When too many streams are open.
    pub(crate) fn open(
        state: &ApiState,
        filter: EventFilter,
        last_seen: Option<EventId>,
    ) -> Result<Self, ApiError> {
        let permit = place(state)?;
        let core = &state.parts.core;
        let mut ready = VecDeque::new();
        let subscription = last_seen
            .and_then(|id| resume(core, &filter, id, &mut ready))
            .unwrap_or_else(|| core.subscribe_events(filter));
        Ok(Self {
            ready,
            subscription,
            closing: state.closing.clone(),
            _permit: permit,
        })
    }

    /// Returns what is told next; `None` when the API closes or the core has stopped.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        if let Some(told) = self.ready.pop_front() {
            return Some(told);
        }
        // What was told before the end still goes out, the end itself included; a reader that does
        // not keep up is cut at the drain deadline.
        let received = tokio::select! {
            biased;
            received = self.subscription.recv() => received?,
            () = self.closing.cancelled() => return None,
        };
        Some(match received {
            Received::Event(event) => Told::Event(event),
            Received::Missed(count) => Told::Missed(Some(count)),
        })
    }
}

/// Takes a place among the open streams.
fn place(state: &ApiState) -> Result<OwnedSemaphorePermit, ApiError> {
    Arc::clone(&state.streams).try_acquire_owned().map_err(|_| {
        let message = format!(
            "{} event streams are open already",
            state.config.streams_max
        );
        ApiError::new(Code::Overloaded, message).hint("close one of them")
    })
}

/// Subscribes after `last_seen`, or from the oldest event on when that one is forgotten; what must
/// go out before is put into `ready`. `None` when there is no past at all.
fn resume(
    core: &CrucibleCore,
    filter: &EventFilter,
    last_seen: EventId,
    ready: &mut VecDeque<Told>,
) -> Option<EventSubscription> {
    if let Some(rest) = core.subscribe_events_after(filter.clone(), last_seen) {
        return Some(rest);
    }
    ready.push_back(Told::Missed(None));
    let past = core.recent(&EventFilter::all(), usize::MAX);
    let oldest = past.into_iter().next()?;
    let rest = core.subscribe_events_after(filter.clone(), oldest.id)?;
    if filter.matches(&oldest) {
        ready.push_back(Told::Event(oldest));
    }
    Some(rest)
}
