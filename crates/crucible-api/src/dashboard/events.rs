//! Events as they happen, with a filter; and all that came of one first cause.

use std::sync::Arc;

use axum::http::Uri;
use axum::response::Response;
use crucible_services::events::{DaemonEvent, EventFilter};
use maud::{Markup, html};

use super::error_page::error_page;
use super::event_row;
use super::layout::{self, Place};
use super::parts::{self, empty};
use super::visit::Visit;
use crate::error::ApiError;
use crate::params::Params;

/// How many events the page shows before the stream adds more.
const EVENTS: usize = 100;
/// How many rows the page holds at most.
const ROWS_MAX: usize = 500;
const CATEGORIES: [&str; 9] = [
    "filesystem",
    "database",
    "external",
    "mcp",
    "inference",
    "script",
    "service",
    "system",
    "custom",
];

/// What the reader asked for.
#[derive(Default)]
struct Wanted {
    category: String,
    words: String,
    correlation: String,
}

/// `GET /events?category=&q=&correlation=`
pub(super) async fn events(visit: Visit, uri: Uri) -> Response {
    let wanted = match Wanted::read(&uri) {
        Ok(wanted) => wanted,
        Err(error) => return error_page(&visit, "", &error),
    };
    let past = visit.parts().core.recent(&EventFilter::all(), usize::MAX);
    let found: Vec<_> = past
        .into_iter()
        .filter(|event| wanted.wants(event))
        .collect();
    let main = if wanted.correlation.is_empty() {
        list(&wanted, &found)
    } else {
        chain(&wanted, &found)
    };
    layout::page(&visit, Place::Events, "Events", "", &main)
}

impl Wanted {
    fn read(uri: &Uri) -> Result<Self, ApiError> {
        let params = Params::read(uri, &["category", "q", "correlation"])?;
        let read =
            |name| Ok::<_, ApiError>(params.one(name)?.unwrap_or_default().trim().to_owned());
        Ok(Self {
            category: read("category")?,
            words: read("q")?,
            correlation: read("correlation")?,
        })
    }

    /// As the script does: every word must stand somewhere in what a row shows.
    fn wants(&self, event: &DaemonEvent) -> bool {
        let name = event.event_type.name();
        let is_of_category = self.category.is_empty()
            || name
                .split('.')
                .next()
                .is_some_and(|category| category == self.category);
        let is_of_cause = self.correlation.is_empty()
            || event.metadata.correlation_id.to_string() == self.correlation;
        if !is_of_category || !is_of_cause {
            return false;
        }
        let shown =
            format!("{name} {} {}", event_row::subject(event), event.source.id).to_lowercase();
        self.words
            .to_lowercase()
            .split_whitespace()
            .all(|word| shown.contains(word))
    }
}

fn list(wanted: &Wanted, found: &[Arc<DaemonEvent>]) -> Markup {
    html! {
        header.page-head {
            h1 { "Events" }
            p.lede { "What has happened, newest first. Open one for its detail; its correlation leads to all that has the same first cause." }
        }
        form.filter #event-filter action="/events" method="get" {
            label { "Category"
                select name="category" {
                    option value="" { "all" }
                    @for category in CATEGORIES { option selected[wanted.category == category] { (category) } }
                }
            }
            label.grow { "Words" input name="q" type="search" value=(wanted.words) autocomplete="off" placeholder="a type, a path, a service"; }
            noscript { button type="submit" { "Filter" } }
            button.plain #pause type="button" hidden aria-pressed="false" { "Pause" }
            span #live.live role="status" {}
        }
        ol.events #event-list data-list="" data-stream="/api/v1/events?named=false" data-rows=(ROWS_MAX) {
            @for event in found.iter().rev().take(EVENTS) { (event_row::row(event)) }
        }
        div #no-events hidden[!found.is_empty()] {
            (empty("Nothing to show", &html! { "No event that is remembered has these words. New ones appear here by themselves." }))
        }
        (event_row::mould())
    }
}

/// Oldest first, so that a cause stands above its effects.
fn chain(wanted: &Wanted, found: &[Arc<DaemonEvent>]) -> Markup {
    html! {
        header.page-head {
            p.crumb { a href="/events" { "Events" } }
            h1 { "One cause and what came of it" }
            p.lede { (parts::count(found.len(), "event", "events")) " with the correlation " code { (wanted.correlation) } }
        }
        p { span #live.live role="status" {} }
        ol.events.chain #event-list data-list="" data-stream="/api/v1/events?named=false" data-rows=(ROWS_MAX)
            data-correlation=(wanted.correlation) {
            @for event in found.iter().rev().take(ROWS_MAX).rev() { (event_row::row(event)) }
        }
        div #no-events hidden[!found.is_empty()] {
            (empty("Nothing is remembered of it", &html! { "Only the last events are kept; " a href="/events" { "see those" } "." }))
        }
        (event_row::mould())
    }
}
