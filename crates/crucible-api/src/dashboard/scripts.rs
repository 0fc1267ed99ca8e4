//! Scripts: which there are, what they ask for and were granted, what they said.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Redirect, Response};
use crucible_services::access::Scope;
use crucible_services::script::{self, LogLine, ScriptEngine, ScriptInfo, ScriptState};
use maud::{Markup, html};

use super::error_page::error_page;
use super::layout::{self, Place};
use super::parts::Head::{Number, Words};
use super::parts::{self, day_and_time, empty, fault, mark, notice, number, time};
use super::visit::Visit;
use crate::auth::SafeForm;
use crate::error::{ApiError, Code};
use crate::params::Params;
use crate::routes::Named;
use crate::state::ApiState;

/// How many log lines the page shows.
const LINES: usize = 100;

/// `GET /scripts`
pub(super) async fn scripts(visit: Visit) -> Response {
    let listed = match &visit.parts().scripts {
        Some(engine) => Some(engine.scripts().await),
        None => None,
    };
    let main = html! {
        header.page-head {
            h1 { "Scripts" }
            p.lede { "Small programs that react to events, run by the clock, or offer tools. Each may do only what a person granted it." }
        }
        @match listed {
            None => (empty("No script engine runs here", &html! { "This daemon was put together without one." })),
            Some(Err(error)) => (fault(&error.to_string())),
            Some(Ok(scripts)) if scripts.is_empty() => (empty("No scripts yet", &html! { code { "crucible script new NAME" } " begins one." })),
            Some(Ok(scripts)) => div #script-table data-live="" { (table(&scripts)) },
        }
    };
    layout::page(&visit, Place::Scripts, "Scripts", "", &main)
}

fn table(scripts: &[ScriptInfo]) -> Markup {
    let rows = html! {
        @for script in scripts {
            tr {
                th scope="row" {
                    a href=(parts::url_with("/scripts/", &script.name)) { (script.name) }
                    span.sub { (script.about) }
                }
                td { (state_mark(script)) }
                td { (granted_words(script)) }
                td.number { (number(script.calls)) }
                td.number { (number(script.failures)) }
            }
        }
    };
    parts::table(
        "Scripts",
        &[
            Words("Script"),
            Words("State"),
            Words("Granted"),
            Number("Calls"),
            Number("Failed"),
        ],
        &rows,
    )
}

fn state_mark(script: &ScriptInfo) -> Markup {
    match script.state {
        ScriptState::Active => mark("good", "active"),
        ScriptState::Outdated => mark("warn", "an older version runs"),
        ScriptState::Faulty => mark("bad", "faulty"),
    }
}

fn granted_words(script: &ScriptInfo) -> String {
    match (script.granted.len(), script.requested.len()) {
        (_, 0) => "asks for nothing".to_owned(),
        (0, asked) => format!("none of {asked}"),
        (some, asked) if some >= asked => format!("all {asked}"),
        (some, asked) => format!("{some} of {asked}"),
    }
}

/// `GET /scripts/{name}?done=`
pub(super) async fn script(visit: Visit, Named(name): Named, uri: Uri) -> Response {
    let engine = match engine(&visit.state) {
        Ok(engine) => engine,
        Err(error) => return error_page(&visit, "", &error),
    };
    let found = match engine.scripts().await {
        Ok(scripts) => scripts.into_iter().find(|script| script.name == name),
        Err(error) => return error_page(&visit, "", &script_error(&error)),
    };
    let Some(script) = found else {
        let error = script_error(&script::Error::NotFound(name));
        return error_page(&visit, "", &error);
    };
    let log = engine.log(&name, LINES).await;
    let was_granted = Params::read(&uri, &["done"])
        .is_ok_and(|params| params.one("done").ok().flatten() == Some("grant"));
    let main = html! {
        header.page-head {
            p.crumb { a href="/scripts" { "Scripts" } }
            h1 { (script.name) }
            p.lede dir="auto" { (script.about) }
        }
        @if was_granted { p.notice role="status" { "What it may do was changed." } }
        p.state-line #script-state data-live="" {
            (state_mark(&script))
            span { (number(script.calls)) (if script.calls == 1 { " call, " } else { " calls, " }) (number(script.failures)) " failed" }
        }
        @if let Some(error) = &script.last_error { (fault(error)) }
        div.columns {
            (grants(&visit, &script))
            (work(&script))
        }
        section aria-labelledby="log" {
            h2 #log { "Log" }
            @match &log {
                Ok(lines) => div #script-log data-live="" { (log_lines(lines)) },
                Err(error) => (fault(&error.to_string())),
            }
        }
    };
    layout::page(&visit, Place::Scripts, &script.name, "", &main)
}

/// What it asks for, as a form of those who may grant it.
fn grants(visit: &Visit, script: &ScriptInfo) -> Markup {
    let may_grant = visit.may(Scope::Control);
    let address = parts::url_with("/scripts/", &script.name);
    html! {
        section aria-labelledby="grants" {
            h2 #grants { "What it may do" }
            @if script.requested.is_empty() {
                p.quiet { "It asks for nothing: it sees no note and changes none." }
            } @else {
                form.grants action=(format!("{address}/grant")) method="post" {
                    (visit.form_guard())
                    input type="hidden" name="manifest" value=(script.manifest);
                    @for capability in &script.requested {
                        label.check {
                            input type="checkbox" name="capability" value=(capability)
                                checked[script.granted.contains(capability)] disabled[!may_grant];
                            code { (capability) }
                        }
                    }
                    @if may_grant { button type="submit" { "Grant what is ticked" } }
                }
                @for capability in script.granted.iter().filter(|one| !script.requested.contains(one)) {
                    (notice(&format!("{capability} is granted and no longer asked for.")))
                }
            }
        }
    }
}

fn work(script: &ScriptInfo) -> Markup {
    html! {
        section aria-labelledby="work" {
            h2 #work { "What it does" }
            dl.facts {
                @if !script.handlers.is_empty() { div { dt { "Reacts to" } dd { @for one in &script.handlers { div { (one) } } } } }
                @if !script.tools.is_empty() { div { dt { "Offers" } dd { @for one in &script.tools { div { code { (one) } } } } } }
                @for schedule in &script.schedules {
                    div {
                        dt { "By the clock" }
                        dd {
                            code { (schedule.cron) } " → " code { (schedule.function) }
                            @if let Some(next) = schedule.next { div.quiet { "next " (day_and_time(next)) } }
                            @if let Some(last) = schedule.last { div.quiet { "last " (day_and_time(last)) } }
                        }
                    }
                }
                div { dt { "Version" } dd { code { (script.version.get(..12).unwrap_or("none")) } } }
            }
        }
    }
}

fn log_lines(lines: &[LogLine]) -> Markup {
    html! {
        @if lines.is_empty() {
            p.quiet { "It has said nothing yet." }
        } @else {
            ol.log tabindex="0" aria-label="Log, newest first" {
                @for line in lines.iter().rev() {
                    li data-level=(line.level) {
                        (time(line.at)) " " span.level { (line.level) } " "
                        code { (line.function) } " " span dir="auto" { (line.message) }
                        @if let Some(id) = &line.correlation_id { " " a href=(parts::url_with("/events?correlation=", id)) { "cause" } }
                    }
                }
            }
        }
    }
}

/// `POST /scripts/{name}/grant`
pub(super) async fn grant(
    State(state): State<ApiState>,
    visit: Visit,
    Named(name): Named,
    form: Result<SafeForm, ApiError>,
) -> Response {
    match give(&state, &visit, &name, form).await {
        Ok(()) => {
            let page = parts::url_with("/scripts/", &name);
            Redirect::to(&format!("{page}?done=grant")).into_response()
        }
        Err(error) => error_page(&visit, "", &error),
    }
}

async fn give(
    state: &ApiState,
    visit: &Visit,
    name: &str,
    form: Result<SafeForm, ApiError>,
) -> Result<(), ApiError> {
    let form = form?;
    let manifest = form.get("manifest").unwrap_or_default();
    let capabilities: Vec<String> = form.all("capability").map(str::to_owned).collect();
    engine(state)?
        .grant(name, manifest, &capabilities, &visit.actor())
        .await
        .map(drop)
        .map_err(|error| script_error(&error))
}

fn engine(state: &ApiState) -> Result<&dyn ScriptEngine, ApiError> {
    state
        .parts
        .scripts
        .as_deref()
        .ok_or_else(|| ApiError::new(Code::Unavailable, "no script engine runs here"))
}

fn script_error(error: &script::Error) -> ApiError {
    let code = match error {
        script::Error::NotFound(_) => Code::NotFound,
        script::Error::Refused(_) => Code::Refused,
        script::Error::Unavailable(_) => Code::Unavailable,
        _ => Code::Internal,
    };
    ApiError::new(code, error.to_string())
}
