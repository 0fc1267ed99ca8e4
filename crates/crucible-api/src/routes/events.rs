//! Events: those of the recent past, and those to come as a stream (server-sent events).
//!
//! The stream is what the HTML Living Standard, section 9.2, describes. A reader that comes back
//! with `Last-Event-ID` gets what it missed, as far as the core still remembers; a reader that is
//! too slow is told how many events it missed by `event: missed`. Nothing is kept for it.

mod feed;
mod lines;
mod publish;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::ids::EventId;
use futures_util::Stream;

use crate::error::{ApiError, Code};
use crate::params::{Params, invalid};
use crate::state::ApiState;
use lines::Lines;

pub(crate) use feed::{Feed, Told};
pub use publish::{Delivered, NewEvent, Published};
pub(crate) use publish::{publish, tell};

/// How many events `recent` returns when the request does not say.
pub(crate) const RECENT_DEFAULT: usize = 50;
/// The most events that `recent` returns.
pub(crate) const RECENT_MAX: usize = 1000;
/// The parameters that choose events; each may be repeated.
const FILTERS: [&str; 3] = ["category", "type", "source"];

/// `GET /events?category=&type=&source=&named=`, with or without `Last-Event-ID`.
///
/// `named=false` leaves out the field `event`, so that a browser's `onmessage` hears every event
/// and not only those whose names it knows; `missed` keeps its name.
pub(super) async fn stream(
    State(state): State<ApiState>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let [category, kind, source] = FILTERS;
    let params = Params::read(&uri, &[category, kind, source, "named"])?;
    let filter = filter(&params)?;
    let named = match params.one("named")? {
        None | Some("true") => true,
        Some("false") => false,
        Some(odd) => {
            return Err(invalid(
                "named",
                format!("must be true or false, not {odd:?}"),
            ));
        }
    };
    let last_seen = last_seen(&headers)?;
    let feed = Feed::open(&state, filter, last_seen)?;
    let keep_alive = KeepAlive::new().interval(state.config.keep_alive);
    Ok(Sse::new(Lines::new(feed, named).into_stream()).keep_alive(keep_alive))
}

/// `GET /events/recent?limit=&category=&type=&source=&correlation=`: newest last.
pub(super) async fn recent(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Arc<DaemonEvent>>>, ApiError> {
    let [category, kind, source] = FILTERS;
    let params = Params::read(&uri, &["limit", category, kind, source, "correlation"])?;
    let limit = params.number("limit", 1..=RECENT_MAX, RECENT_DEFAULT)?;
    let filter = filter(&params)?;
    past(&state, &filter, params.one("correlation")?, limit).map(Json)
}

/// Returns the last events that are remembered, at most `limit`, oldest first.
pub(crate) fn past(
    state: &ApiState,
    filter: &EventFilter,
    correlation: Option<&str>,
    limit: usize,
) -> Result<Vec<Arc<DaemonEvent>>, ApiError> {
    let core = &state.parts.core;
    let Some(correlation) = correlation else {
        return Ok(core.recent(filter, limit));
    };
    let first = EventId::parse(correlation)
        .map_err(|_| invalid("correlation", "is not the id of an event"))?;
    let mut events = core.recent(filter, usize::MAX);
    events.retain(|event| event.metadata.correlation_id == first.into());
    let begin = events.len().saturating_sub(limit);
    Ok(events.split_off(begin))
}

fn filter(params: &Params) -> Result<EventFilter, ApiError> {
    Ok(EventFilter {
        categories: params.variants("category")?,
        types: dotted(params.many("type"))?,
        sources: params.variants("source")?,
        priority_min: None,
    })
}

/// Refuses names that no event can have.
pub(crate) fn dotted(types: Vec<String>) -> Result<Vec<String>, ApiError> {
    match types.iter().find(|name| !name.contains('.')) {
        None => Ok(types),
        Some(odd) => {
            let what = format!("{odd:?} is not a dotted name such as filesystem.file_created");
            Err(invalid("type", what))
        }
    }
}

fn last_seen(headers: &HeaderMap) -> Result<Option<EventId>, ApiError> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    // A browser that has seen no event yet may send the header empty.
    if value.is_empty() {
        return Ok(None);
    }
    value
        .to_str()
        .ok()
        .and_then(|text| EventId::parse(text).ok())
        .map(Some)
        .ok_or_else(|| {
            ApiError::new(
                Code::InvalidQuery,
                "header `Last-Event-ID`: is not the id of an event",
            )
        })
}
