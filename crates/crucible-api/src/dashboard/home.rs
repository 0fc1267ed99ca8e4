//! The overview: how much there is, how well the services are, what is faulty, what happens.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use crucible_core::{CrucibleCore, ServiceStatus};
use crucible_services::data_store::{Error, Problem, StoreStats};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::health::HealthStatus;

use super::html::Html;
use super::layout;
use crate::state::ApiState;

/// How many problems the page shows.
const PROBLEMS: usize = 20;
/// How many events the page shows before the stream adds more.
const EVENTS: usize = 12;

/// `GET /`
pub(super) async fn home(State(state): State<ApiState>) -> Response {
    let parts = &state.parts;
    let mut main = Html::default();
    main.raw("<h1 dir=\"auto\">")
        .text(&parts.vault.name)
        .raw("</h1>\n");
    let stats = parts.store.stats().await;
    counts(&mut main, stats.as_ref());
    services(&mut main, &parts.core).await;
    if let Ok(problems) = parts.store.problems(PROBLEMS).await {
        let total = stats.map_or(0, |stats| stats.problems);
        show_problems(&mut main, &problems, total);
    }
    events(&mut main, &parts.core.recent(&EventFilter::all(), EVENTS));
    layout::page(&parts.vault, "Overview", "", &main).into_response()
}

fn counts(main: &mut Html, stats: Result<&StoreStats, &Error>) {
    let stats = match stats {
        Ok(stats) => stats,
        Err(error) => {
            main.raw("<p class=\"fault\" role=\"alert\">")
                .text(&error.to_string())
                .raw("</p>\n");
            return;
        }
    };
    main.raw("<dl class=\"counts\">\n");
    for (label, number) in [
        ("Notes", stats.notes),
        ("Blocks", stats.blocks),
        ("Links", stats.links),
        ("Unresolved", stats.links_unresolved),
        ("Tags", stats.tags),
        ("Problems", stats.problems),
    ] {
        main.raw("<div><dt>")
            .raw(label)
            .raw("</dt><dd>")
            .number(number)
            .raw("</dd></div>\n");
    }
    main.raw("</dl>\n<p><a href=\"/notes\">All notes</a></p>\n");
    if stats.text_pending > 0 {
        main.raw("<p class=\"notice\">Search does not know ")
            .number(stats.text_pending)
            .raw(" notes yet; they are being indexed.</p>\n");
    }
}

async fn services(main: &mut Html, core: &CrucibleCore) {
    main.raw("<section aria-labelledby=\"services\">\n<h2 id=\"services\">Services</h2>\n");
    match core.list_services().await {
        Ok(services) => service_table(main, &services),
        Err(error) => {
            main.raw("<p class=\"fault\" role=\"alert\">")
                .text(&error.to_string())
                .raw("</p>\n");
        }
    }
    main.raw("</section>\n");
}

fn service_table(main: &mut Html, services: &[ServiceStatus]) {
    main.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Service</th>")
        .raw("<th scope=\"col\">State</th><th scope=\"col\">Health</th>")
        .raw(
            "<th scope=\"col\">Restarts</th><th scope=\"col\">Remark</th></tr></thead>\n<tbody>\n",
        );
    for service in services {
        main.raw("<tr><th scope=\"row\">")
            .text(&service.name)
            .raw("</th><td>")
            .text(&service.state.as_str().replace('_', " "))
            .raw("</td><td>")
            .raw(health(service.health.status))
            .raw("</td><td>")
            .number(service.restarts)
            .raw("</td><td>");
        let remark = service.last_error.as_ref();
        if let Some(remark) = service.health.message.as_ref().or(remark) {
            main.text(remark);
        }
        main.raw("</td></tr>\n");
    }
    main.raw("</tbody>\n</table></div>\n");
}

const fn health(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Healthy => "<span class=\"health healthy\">healthy</span>",
        HealthStatus::Degraded => "<span class=\"health degraded\">degraded</span>",
        HealthStatus::Unhealthy => "<span class=\"health unhealthy\">unhealthy</span>",
        HealthStatus::Unknown => "<span class=\"health unknown\">not asked yet</span>",
    }
}

fn show_problems(main: &mut Html, problems: &[Problem], total: u64) {
    if problems.is_empty() {
        return;
    }
    main.raw("<section aria-labelledby=\"problems\">\n<h2 id=\"problems\">Problems</h2>\n")
        .raw("<ul class=\"plain\">\n");
    for problem in problems {
        main.raw("<li><strong dir=\"auto\">");
        if problem.kind.is_skipped() {
            main.text(&problem.path)
                .raw("</strong> <span class=\"health unhealthy\">skipped</span>");
        } else {
            main.note_link(&problem.path, &problem.path)
                .raw("</strong>");
        }
        main.raw("<p class=\"snippet\">").text(&problem.message);
        if let Some(line) = problem.line {
            main.raw(" (line ").number(line).raw(")");
        }
        main.raw("</p></li>\n");
    }
    main.raw("</ul>\n");
    let shown = u64::try_from(problems.len()).unwrap_or(u64::MAX);
    if total > shown {
        main.raw("<p class=\"quiet\">and ")
            .number(total - shown)
            .raw(" more: <code>crucible doctor</code></p>\n");
    }
    main.raw("</section>\n");
}

/// Lists the newest first, as the script does that adds to them.
fn events(main: &mut Html, events: &[Arc<DaemonEvent>]) {
    main.raw("<section aria-labelledby=\"events\">\n<h2 id=\"events\">Events ")
        .raw("<span id=\"live\" class=\"quiet\" role=\"status\"></span></h2>\n")
        .raw(
            "<ol id=\"event-list\" class=\"events\" data-stream=\"/api/v1/events?named=false\">\n",
        );
    for event in events.iter().rev() {
        let time = event.timestamp.to_string();
        let detail = event.metadata.ordering_key.as_deref().unwrap_or_default();
        main.raw("<li><time")
            .attribute("datetime", &time)
            .raw(">")
            .text(time.get(11..19).unwrap_or(&time))
            .raw("</time> <code>")
            .text(&event.event_type.name())
            .raw("</code> <span dir=\"auto\">")
            .text(detail)
            .raw("</span> <span class=\"quiet\">")
            .text(&event.source.id)
            .raw("</span></li>\n");
    }
    main.raw("</ol>\n<noscript><p class=\"quiet\">Load the page again to see newer events.</p>")
        .raw("</noscript>\n</section>\n");
}
