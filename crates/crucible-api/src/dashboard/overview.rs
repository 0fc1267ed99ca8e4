//! The overview: how the whole is, what the services do, how much there is, what happens now.

use std::sync::Arc;

use axum::response::Response;
use crucible_core::{CoreMetrics, ServiceStatus, SystemHealth};
use crucible_services::clock;
use crucible_services::data_store::{Problem, StoreStats, VectorStats};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::health::HealthStatus;
use maud::{Markup, html};

use super::layout::{self, Place};
use super::parts::{
    self, bytes, duration, fault, in_order, mark, note_link, number, service_label, service_mark,
};
use super::visit::Visit;
use super::{event_row, spark};

/// How many problems the page shows.
const PROBLEMS: usize = 10;
/// How many events the page shows before the stream adds more.
const EVENTS: usize = 14;

/// `GET /`
pub(super) async fn overview(visit: Visit) -> Response {
    let shared = visit.parts();
    let stats = shared.store.stats().await;
    let metrics = shared.core.get_metrics().await.ok();
    let services = shared.core.list_services().await;
    let problems = shared.store.problems(PROBLEMS).await.unwrap_or_default();
    let events = shared.core.recent(&EventFilter::all(), usize::MAX);
    let main = html! {
        header.page-head {
            h1 dir="auto" { (shared.vault.name) }
        }
        (whole(visit.health.as_ref(), metrics.as_ref(), &events))
        @match &stats {
            Ok(stats) => (figures(stats)),
            Err(error) => (fault(&error.to_string())),
        }
        div.columns {
            div {
                section aria-labelledby="services" {
                    div.section-head { h2 #services { "Services" } a href="/services" { "All services" } }
                    @match services {
                        Ok(services) => (service_list(&in_order(services))),
                        Err(error) => (fault(&error.to_string())),
                    }
                }
                (problem_list(&problems, stats.as_ref().map_or(0, |stats| stats.problems)))
            }
            section aria-labelledby="events" {
                div.section-head {
                    h2 #events { "Happening now" }
                    span #live.live role="status" {}
                    a href="/events" { "All events" }
                }
                (recent(&events))
            }
        }
    };
    layout::page(&visit, Place::Overview, "Overview", "", &main)
}

/// The verdict on the whole with its reasons, and the pulse of events.
fn whole(
    health: Option<&SystemHealth>,
    metrics: Option<&CoreMetrics>,
    events: &[Arc<DaemonEvent>],
) -> Markup {
    let status = health.map_or(HealthStatus::Unknown, |health| health.status);
    let (tone, words) = match status {
        HealthStatus::Healthy => ("good", "Everything works"),
        HealthStatus::Degraded => ("warn", "Works, with restrictions"),
        HealthStatus::Unhealthy => ("bad", "Something is broken"),
        HealthStatus::Unknown => ("none", "Not running"),
    };
    let bars = spark::histogram(events, clock::now());
    html! {
        section.whole #whole data-live="" data-tone=(tone) aria-label="Health of the whole" {
            div {
                p.verdict { (words) }
                @if let Some(metrics) = metrics {
                    p.quiet {
                        (metrics.services_running) " of " (parts::count(metrics.services_registered, "service runs", "services run"))
                        " · up " (duration(metrics.uptime_ms))
                        @if metrics.restarts > 0 { " · " (parts::count(usize::try_from(metrics.restarts).unwrap_or(usize::MAX), "restart", "restarts")) }
                    }
                }
                @if let Some(health) = health {
                    @if !health.reasons.is_empty() {
                        ul.reasons { @for reason in &health.reasons { li { (reason) } } }
                    }
                }
            }
            figure.pulse {
                (spark::draw(&bars))
                figcaption { "Events, last 10 minutes" b { (number(bars.iter().sum())) } }
            }
        }
    }
}

fn figures(stats: &StoreStats) -> Markup {
    html! {
        section.figures #figures data-live="" aria-label="What the vault holds" {
            dl {
                div { dt { a href="/notes" { "Notes" } } dd { (number(stats.notes)) } }
                div { dt { "Blocks" } dd { (number(stats.blocks)) } }
                div { dt { "Links" } dd { (number(stats.links)) } @if stats.links_unresolved > 0 { dd.more { (number(stats.links_unresolved)) " lead nowhere" } } }
                div { dt { "Tags" } dd { (number(stats.tags)) } }
                div { dt { "Index" } dd { (bytes(stats.index_size_bytes)) } }
                div { dt { "Problems" } dd { (number(stats.problems)) } }
            }
            (progress("Text index", stats.notes.saturating_sub(stats.text_pending), stats.notes))
            @if let Some(vectors) = &stats.vectors { (meaning(vectors)) }
        }
    }
}

/// How far search by meaning is, and what keeps it.
fn meaning(vectors: &VectorStats) -> Markup {
    html! {
        @if let Some(message) = &vectors.message {
            (parts::notice(&format!("Search goes by words alone: {message}")))
        }
        (progress("Search by meaning", vectors.blocks_done, vectors.blocks))
        @if vectors.message.is_none() && vectors.blocks > 0 && vectors.blocks_done >= vectors.blocks {
            p.quiet.meaning {
                "Search by meaning knows all " (number(vectors.blocks)) " blocks"
                @if let Some(model) = &vectors.model { " (" (model) ")" } "."
            }
        }
    }
}

/// How far something in the background is; nothing once it is done.
fn progress(label: &str, done: u64, all: u64) -> Markup {
    html! {
        @if done < all {
            div.progress {
                label { (label) " " progress max=(all) value=(done) {} }
                span.quiet { (number(done)) " of " (number(all)) }
            }
        }
    }
}

fn service_list(services: &[ServiceStatus]) -> Markup {
    html! {
        ul.services #service-list data-live="" data-list="" {
            @for service in services {
                li {
                    a href=(parts::url_with("/services/", &service.name)) {
                        span.service-name { (service_label(service)) }
                        (service_mark(service))
                        @if let Some(words) = service.health.message.as_ref().or(service.last_error.as_ref()) {
                            span.service-remark { (words) }
                        }
                    }
                }
            }
        }
    }
}

/// The newest first, as the script does that adds to them.
fn recent(events: &[Arc<DaemonEvent>]) -> Markup {
    html! {
        ol.events.compact #event-list data-list="" data-stream="/api/v1/events?named=false" data-rows=(EVENTS) {
            @for event in events.iter().rev().take(EVENTS) { (event_row::row(event)) }
        }
        (event_row::mould())
        noscript { p.quiet { "Load the page again to see newer events." } }
    }
}

fn problem_list(problems: &[Problem], total: u64) -> Markup {
    let more = total.saturating_sub(problems.len() as u64);
    html! {
        @if !problems.is_empty() {
            section aria-labelledby="problems" {
                h2 #problems { "Problems in the vault" }
                ul.rows data-list="" {
                    @for problem in problems {
                        li {
                            div.row-head {
                                @if problem.kind.is_skipped() {
                                    strong dir="auto" { (problem.path) }
                                    (mark("bad", "skipped"))
                                } @else {
                                    (note_link(&problem.path, &problem.path))
                                }
                            }
                            p.quiet {
                                (problem.message)
                                @if let Some(line) = problem.line { " (line " (line) ")" }
                            }
                        }
                    }
                }
                @if more > 0 {
                    p.quiet { "and " (number(more)) " more: " code { "crucible doctor" } }
                }
            }
        }
    }
}
