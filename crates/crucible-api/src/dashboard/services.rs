//! The services: a table of all, and a page for each with its past, its figures and its switches.

mod act;
mod detail;

use axum::response::Response;
use crucible_core::ServiceStatus;
use maud::{Markup, html};

use super::layout::{self, Place};
use super::parts::Head::{Number, Words};
use super::parts::{self, day_and_time, fault, in_order, number, service_label, service_mark};
use super::visit::Visit;

pub(super) use act::{confirm_stop, restart, start, stop};
pub(super) use detail::detail;

/// `GET /services`
pub(super) async fn services(visit: Visit) -> Response {
    let listed = visit.parts().core.list_services().await;
    let main = html! {
        header.page-head {
            h1 { "Services" }
            p.lede { "Each is supervised: started in order, asked how it is, and started again when it breaks down." }
        }
        @if let Some(health) = visit.health.as_ref().filter(|health| !health.reasons.is_empty()) {
            ul.reasons #reasons data-live="" { @for reason in &health.reasons { li { (reason) } } }
        }
        @match listed {
            Ok(services) => div #service-table data-live="" { (table(&in_order(services))) },
            Err(error) => (fault(&error.to_string())),
        }
    };
    layout::page(&visit, Place::Services, "Services", "", &main)
}

fn table(services: &[ServiceStatus]) -> Markup {
    let rows = html! {
        @for service in services {
            tr {
                th scope="row" {
                    a href=(parts::url_with("/services/", &service.name)) { (service_label(service)) }
                    span.sub { (service.name) " " (service.version) }
                }
                td {
                    (service_mark(service))
                    @if let Some(words) = service.health.message.as_ref().or(service.last_error.as_ref()) {
                        span.sub { (words) }
                    }
                }
                td { (day_and_time(service.since)) }
                td.number { (number(service.restarts)) }
                td { @if service.dependencies.is_empty() { span.quiet { "nothing" } } @else { (service.dependencies.join(", ")) } }
            }
        }
    };
    parts::table(
        "Services",
        &[
            Words("Service"),
            Words("State"),
            Words("Since"),
            Number("Restarts"),
            Words("Needs"),
        ],
        &html! { (rows) },
    )
}
