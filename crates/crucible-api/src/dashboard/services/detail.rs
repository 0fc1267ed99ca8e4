//! One service: how it is and was, what it counts, what it needs, and its switches.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use crucible_core::{HealthRecord, ServiceMetrics, ServiceState, ServiceStatus};
use crucible_services::access::Scope;
use maud::{Markup, html};
use serde_json::Value;

use super::super::error_page::error_page;
use super::super::layout::{self, Place};
use super::super::parts::Head::{Number, Words};
use super::super::parts::{
    self, bytes, day_and_time, duration, fault, health_word, mark, number, service_label,
    service_mark, time,
};
use super::super::visit::Visit;
use crate::error::ApiError;
use crate::params::Params;
use crate::routes::Named;
use crate::service::SERVICE_NAME;
use crate::state::ApiState;

/// How many health checks the page shows.
const CHECKS: usize = 32;

/// `GET /services/{name}?done=`
pub(in super::super) async fn detail(
    State(state): State<ApiState>,
    visit: Visit,
    Named(name): Named,
    uri: Uri,
) -> Response {
    let core = &state.parts.core;
    let done = Params::read(&uri, &["done"])
        .ok()
        .and_then(|params| params.one("done").ok().flatten().map(str::to_owned));
    let services = match core.list_services().await {
        Ok(services) => services,
        Err(error) => return error_page(&visit, "", &ApiError::from(error)),
    };
    let Some(service) = services.iter().find(|service| service.name == name) else {
        return match core.get_service(&name).await {
            Err(error) => error_page(&visit, "", &ApiError::from(error)),
            // It came between the two questions.
            Ok(_) => super::services(visit).await,
        };
    };
    let metrics = core.get_metrics().await.ok();
    let figures = metrics.as_ref().and_then(|all| all.services.get(&name));
    let mut history = core.get_health_history().await;
    history.retain(|record| record.service == name);
    let dependants: Vec<&str> = services
        .iter()
        .filter(|other| other.dependencies.contains(&name))
        .map(|other| other.name.as_str())
        .collect();
    let main = html! {
        header.page-head {
            p.crumb { a href="/services" { "Services" } }
            h1 { (service_label(service)) }
        }
        @if let Some(words) = done.as_deref().and_then(done_words) { p.notice role="status" { (words) } }
        div #service data-live="" { (condition(service)) }
        @if visit.may(Scope::Control) { (switches(&visit, service)) }
        div.columns {
            div {
                (needs(service, &dependants))
                (checks(&history))
            }
            (counted(service, figures))
        }
    };
    layout::page(&visit, Place::Services, &service_label(service), "", &main)
}

/// What was just done; the address may hold anything else, which says nothing.
fn done_words(done: &str) -> Option<&'static str> {
    match done {
        "start" => Some("It was started."),
        "stop" => Some("It was stopped."),
        "restart" => Some("It was stopped and started again."),
        _ => None,
    }
}

fn condition(service: &ServiceStatus) -> Markup {
    html! {
        p.state-line {
            (service_mark(service))
            span { (service.state.as_str().replace('_', " ")) " since " (day_and_time(service.since)) }
            span.quiet { (service.name) " " (service.version) }
        }
        @if !service.waiting_for.is_empty() {
            (parts::notice(&format!("It waits for {}.", service.waiting_for.join(", "))))
        }
        @if let Some(message) = &service.health.message { (parts::notice(message)) }
        @if let Some(error) = &service.last_error { (fault(error)) }
    }
}

fn switches(visit: &Visit, service: &ServiceStatus) -> Markup {
    let address = parts::url_with("/services/", &service.name);
    let runs = !matches!(
        service.state,
        ServiceState::Registered | ServiceState::Stopped | ServiceState::Failed
    );
    html! {
        @if service.name == SERVICE_NAME {
            p.quiet { "This page comes from here: it can be restarted only with the whole daemon." }
        } @else {
            div.switches {
                @if !runs {
                    form action=(format!("{address}/start")) method="post" {
                        (visit.form_guard())
                        button type="submit" { "Start" }
                    }
                }
                form action=(format!("{address}/restart")) method="post" {
                    (visit.form_guard())
                    button.plain type="submit" { "Restart" }
                }
                @if runs { a.button.plain.danger href=(format!("{address}/stop")) { "Stop …" } }
            }
        }
    }
}

fn needs(service: &ServiceStatus, dependants: &[&str]) -> Markup {
    let link = |name: &str| html! { a href=(parts::url_with("/services/", name)) { (name) } " " };
    html! {
        section aria-labelledby="needs" {
            h2 #needs { "Place in the whole" }
            dl.facts {
                div { dt { "Needs" } dd { @if service.dependencies.is_empty() { span.quiet { "nothing" } } @for name in &service.dependencies { (link(name)) } } }
                div { dt { "Needed by" } dd { @if dependants.is_empty() { span.quiet { "nothing" } } @for name in dependants { (link(name)) } } }
                div { dt { "Kind" } dd { (service.kind.to_string().replace('_', " ")) } }
                div { dt { "Restarts" } dd { (number(service.restarts)) } }
            }
        }
    }
}

fn checks(history: &[HealthRecord]) -> Markup {
    html! {
        section aria-labelledby="checks" {
            h2 #checks { "Health checks" }
            @if history.is_empty() {
                p.quiet { "None was made yet; they come every half minute." }
            } @else {
                ol.beats aria-label="Verdicts, oldest first" {
                    @for record in tail(history, CHECKS) {
                        @let (tone, word) = health_word(record.verdict);
                        li data-tone=(tone) title=(format!("{word}, {}", record.at)) { span.unseen { (word) } }
                    }
                }
                (parts::table("Health checks", &[Words("When"), Words("Answer"), Number("Took")], &html! {
                    @for record in tail(history, 8).iter().rev() {
                        @let (tone, word) = health_word(record.health.status);
                        tr {
                            td { (time(record.at)) }
                            td { (mark(tone, word)) @if let Some(words) = &record.health.message { span.sub { (words) } } }
                            td.number { (took(record.duration_ms)) }
                        }
                    }
                }))
            }
        }
    }
}

fn tail(history: &[HealthRecord], most: usize) -> &[HealthRecord] {
    &history[history.len().saturating_sub(most)..]
}

/// Figures of the coordinator, and those that the service itself gave with its health.
fn counted(service: &ServiceStatus, figures: Option<&ServiceMetrics>) -> Markup {
    html! {
        section aria-labelledby="figures" {
            h2 #figures { "Figures" }
            dl.facts.figures-list #service-figures data-live="" {
                @for (name, value) in &service.health.details {
                    @let (name, shown) = figure(name, value);
                    div { dt { (name) } dd { (shown) } }
                }
                @if let Some(figures) = figures {
                    div { dt { "In this state" } dd { (duration(figures.state_ms)) } }
                    div { dt { "Health checks" } dd { (number(figures.health_checks)) @if figures.health_checks_bad > 0 { ", " (number(figures.health_checks_bad)) " bad" } } }
                    div { dt { "Events accepted" } dd { (number(figures.accepted)) } }
                    div { dt { "Events handled" } dd { (number(figures.delivered)) } }
                    div { dt { "Events waiting" } dd { (number(figures.queued as u64)) } }
                    div { dt { "Refused or dropped" } dd { (number(figures.rejected + figures.dropped)) } }
                    div { dt { "Failed" } dd { (number(figures.failed + figures.timed_out + figures.panicked + figures.let_go)) } }
                    div { dt { "Half handled within" } dd { (micros(figures.handling_p50_us)) } }
                    div { dt { "99 of 100 within" } dd { (micros(figures.handling_p99_us)) } }
                }
            }
        }
    }
}

/// A figure of a service as people read it: the unit goes from the name to the value.
fn figure(name: &str, value: &Value) -> (String, String) {
    let (name, unit) = match name.rsplit_once('_') {
        Some((name, "ms")) => (name, "ms"),
        Some((name, "bytes")) => (name, "bytes"),
        _ => (name, ""),
    };
    let shown = match (value, value.as_u64(), unit) {
        (Value::String(text), ..) => text.clone(),
        (Value::Bool(is_so), ..) => if *is_so { "yes" } else { "no" }.to_owned(),
        (Value::Null, ..) => "–".to_owned(),
        (_, Some(ms), "ms") => took(ms),
        (_, Some(size), "bytes") => bytes(size),
        (_, Some(count), _) => number(count),
        (other, ..) => other.to_string(),
    };
    let mut letters = name.chars();
    let first = letters.next().map(char::to_uppercase);
    let name: String = first.into_iter().flatten().chain(letters).collect();
    (name.replace('_', " "), shown)
}

fn took(ms: u64) -> String {
    match ms {
        0 => "< 1 ms".to_owned(),
        ms => duration(ms),
    }
}

fn micros(us: u64) -> String {
    match us {
        0 => "–".to_owned(),
        1..1000 => format!("{us} µs"),
        _ => format!("{} ms", us / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_of_a_figure_stands_with_its_value() {
        for (name, value, expected) in [
            ("walk_ms", Value::from(4), ("Walk", "4 ms")),
            ("walk_ms", Value::from(0), ("Walk", "< 1 ms")),
            ("index_bytes", Value::from(1500), ("Index", "1.5 kB")),
            (
                "notes_seen",
                Value::from(1234),
                ("Notes seen", "1\u{202f}234"),
            ),
            ("model", Value::from("none"), ("Model", "none")),
            ("is_on", Value::from(true), ("Is on", "yes")),
        ] {
            let (name, shown) = figure(name, &value);
            assert_eq!((name.as_str(), shown.as_str()), expected);
        }
    }
}
