//! The settings in force, and where each came from.

use axum::response::Response;
use crucible_services::configuration::{Origin, Setting};
use maud::{Markup, html};
use serde_json::Value;

use super::layout::{self, Place};
use super::parts::{self, empty};
use super::visit::Visit;

/// `GET /configuration`
pub(super) async fn configuration(visit: Visit) -> Response {
    let settings = visit
        .parts()
        .configuration
        .as_ref()
        .map(|all| all.effective());
    let main = html! {
        header.page-head {
            h1 { "Configuration" }
            p.lede { "What is in force now. Stronger layers win: built in, file, environment, command line." }
        }
        @match settings {
            None => (empty("Settings cannot be shown here", &html! { "This daemon was put together without them." })),
            Some(settings) if settings.is_empty() => (empty("No settings", &html! { "Nothing can be set here." })),
            Some(settings) => @for (section, settings) in by_section(&settings) {
                section.folder {
                    h2 { (section) }
                    (table(section, &settings))
                }
            },
        }
    };
    layout::page(&visit, Place::Configuration, "Configuration", "", &main)
}

/// Neighbouring settings whose paths begin alike.
fn by_section(settings: &[Setting]) -> Vec<(&str, Vec<&Setting>)> {
    let mut sections: Vec<(&str, Vec<&Setting>)> = Vec::new();
    for setting in settings {
        let name = setting.path.split('.').next().unwrap_or_default();
        match sections.last_mut() {
            Some((last, list)) if *last == name => list.push(setting),
            _ => sections.push((name, vec![setting])),
        }
    }
    sections
}

fn table(section: &str, settings: &[&Setting]) -> Markup {
    let rows = html! {
        @for setting in settings {
            tr {
                th scope="row" { code { (setting.path) } span.sub { (setting.about) } }
                td { (value(setting)) }
                td { (origin(&setting.origin)) @if !setting.live { span.sub { "from the next start" } } }
            }
        }
    };
    parts::table(section, &["Setting", "Value", "From"], &rows)
}

fn value(setting: &Setting) -> Markup {
    html! {
        @if setting.secret {
            span.quiet { "secret" }
        } @else {
            @match &setting.value {
                Value::Null => span.quiet { "not set" },
                Value::String(text) => code { (text) },
                other => code { (other) },
            }
        }
    }
}

fn origin(origin: &Origin) -> Markup {
    html! {
        @match origin {
            Origin::Default => span.quiet { "built in" },
            Origin::File { path } => span.place { (path) },
            Origin::Environment { variable } => code { (variable) },
            Origin::Flag { option } => code { (option) },
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
            live: false,
            about: String::new(),
        };
        assert!(
            !table("inference", &[&setting])
                .into_string()
                .contains("sk-leaked")
        );
    }
}
