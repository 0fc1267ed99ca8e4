//! The settings in force, where each came from, and how one is changed.

mod change;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Redirect, Response};
use crucible_services::access::Scope;
use crucible_services::configuration::{Origin, Setting};
use maud::{Markup, html};
use serde_json::Value;

use super::error_page::error_page;
use super::layout::{self, Place};
use super::parts::Head::Words;
use super::parts::{self, empty};
use super::visit::Visit;
use crate::auth::SafeForm;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;
use change::Refusal;

/// `GET /configuration?changed=`
pub(super) async fn configuration(visit: Visit, uri: Uri) -> Response {
    let changed = Params::read(&uri, &["changed"])
        .ok()
        .and_then(|params| params.one("changed").ok().flatten().map(str::to_owned));
    page(&visit, changed.as_deref(), None)
}

/// `POST /configuration`: changes one setting.
pub(super) async fn change(
    State(state): State<ApiState>,
    visit: Visit,
    form: Result<SafeForm, ApiError>,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(refused) => return error_page(&visit, "", &refused),
    };
    match change::make(&state, &form, &visit.actor()).await {
        Ok(path) => {
            let page = parts::url_with("/configuration?changed=", &path);
            let row = parts::url_with("#", &row_id(&path));
            Redirect::to(&format!("{page}{row}")).into_response()
        }
        Err(refusal) => {
            let mut response = page(&visit, None, Some(&refusal));
            *response.status_mut() = refusal.error.status();
            response
        }
    }
}

fn page(visit: &Visit, changed: Option<&str>, refusal: Option<&Refusal>) -> Response {
    let settings = visit.parts().configuration.as_ref();
    let settings = settings.map(|all| all.effective());
    let main = html! {
        header.page-head {
            h1 { "Configuration" }
            p.lede { "What is in force now, and where it comes from. Stronger layers win: built in, file, environment, command line. What is changed here is kept in the file." }
        }
        @match settings {
            None => (empty("Settings cannot be shown here", &html! { "This daemon was put together without them." })),
            Some(settings) if settings.is_empty() => (empty("No settings", &html! { "Nothing can be set here." })),
            Some(settings) => {
                @if let Some(changed) = settings.iter().find(|one| Some(one.path.as_str()) == changed) { (done(changed)) }
                @if let Some(refusal) = refusal.filter(|one| !settings.iter().any(|known| known.path == one.path)) {
                    (parts::fault(&refusal.words()))
                }
                @for (section, settings) in by_section(&settings) {
                    section.folder {
                        h2 { (section) }
                        (table(visit, section, &settings, refusal))
                    }
                }
            },
        }
    };
    layout::page(visit, Place::Configuration, "Configuration", "", &main)
}

/// What a change led to.
fn done(setting: &Setting) -> Markup {
    html! {
        p.notice role="status" {
            code { (setting.path) } " is " (value(setting)) " now"
            @if setting.origin != Origin::Default { ", from the " }
            @else { ", as it is " }
            (origin(&setting.origin)) "."
        }
    }
}

/// Neighbouring settings of one section: what stands before the last point of the path.
fn by_section(settings: &[Setting]) -> Vec<(&str, Vec<&Setting>)> {
    let mut sections: Vec<(&str, Vec<&Setting>)> = Vec::new();
    for setting in settings {
        let name = split(&setting.path).0;
        match sections.iter_mut().find(|(known, _)| *known == name) {
            Some((_, list)) => list.push(setting),
            None => sections.push((name, vec![setting])),
        }
    }
    sections
}

/// A section and the name in it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn row_id(path: &str) -> String {
    format!("setting-{path}")
}

fn table(visit: &Visit, section: &str, settings: &[&Setting], refusal: Option<&Refusal>) -> Markup {
    let may_change = visit.may(Scope::Control);
    let rows = html! {
        @for setting in settings {
            @let refused = refusal.filter(|one| one.path == setting.path);
            tr id=(row_id(&setting.path)) {
                th scope="row" { code { (split(&setting.path).1) } span.sub { (setting.about) } }
                td {
                    (value(setting))
                    @if may_change && change::is_offered(setting) { (change::form(visit, setting, refused)) }
                    @else if let Some(refused) = refused { (parts::fault(&refused.words())) }
                }
                td { (origin(&setting.origin)) @if !setting.live { span.sub { "read at start" } } }
            }
        }
    };
    html! { div.settings { (parts::table(section, &[Words("Setting"), Words("Value"), Words("From")], &rows)) } }
}

fn value(setting: &Setting) -> Markup {
    html! {
        @if setting.secret {
            span.quiet { "secret" }
        } @else {
            @match &setting.value {
                Value::Null => span.quiet { "not set" },
                Value::Bool(true) => "yes",
                Value::Bool(false) => "no",
                Value::Array(list) if list.is_empty() => span.quiet { "none" },
                Value::String(text) => code { (text) },
                Value::Number(number) => code { (number) },
                other => code { (change::shown(other)) },
            }
        }
    }
}

fn origin(origin: &Origin) -> Markup {
    html! {
        @match origin {
            Origin::Default => span.quiet { "built in" },
            Origin::File { path } => { "file " span.place { (path) } },
            Origin::Environment { variable } => { "environment " code { (variable) } },
            Origin::Flag { option } => { "option " code { (option) } },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_of_a_secret_is_never_shown() {
        let setting = Setting {
            path: "inference.key".to_owned(),
            value: Value::from("sk-leaked"),
            origin: Origin::Default,
            secret: true,
            live: true,
            about: String::new(),
        };
        assert!(!value(&setting).into_string().contains("sk-leaked"));
        assert!(!change::is_offered(&setting));
    }
}
