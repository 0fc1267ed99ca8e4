//! The frame of every page: head, skip link, side with search and places, main part, help.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use crucible_services::access::Scope;
use crucible_services::health::HealthStatus;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::parts::health_word;
use super::visit::Visit;

/// The places that the side leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Notes,
    Events,
    Services,
    Scripts,
    Access,
    Configuration,
    /// Search, which has the box at the top, and pages of faults.
    Elsewhere,
}

/// A place's address, name, the key after `g` that leads there, and its sign.
const PLACES: [(Place, &str, &str, &str, &str); 7] = [
    (
        Place::Overview,
        "/",
        "Overview",
        "o",
        "<path d=\"M3 9.5 10 3.5l7 6V16a1 1 0 0 1-1 1h-4v-4.5H8V17H4a1 1 0 0 1-1-1z\"/>",
    ),
    (
        Place::Notes,
        "/notes",
        "Notes",
        "n",
        "<path d=\"M5 2.5h6.5L15 6v10.5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1zM11 2.5V6.5h4M7 10h5.5M7 13.5h5.5\"/>",
    ),
    (
        Place::Events,
        "/events",
        "Events",
        "e",
        "<path d=\"M2 10.5h3.5l2-6 4 11.5 2.5-8 1.2 2.5H18\"/>",
    ),
    (
        Place::Services,
        "/services",
        "Services",
        "s",
        "<path d=\"M3.5 3.5h13v5h-13zM3.5 11.5h13v5h-13zM6.5 6h.01M6.5 14h.01\"/>",
    ),
    (
        Place::Scripts,
        "/scripts",
        "Scripts",
        "r",
        "<path d=\"m7 6-4 4 4 4M13 6l4 4-4 4M11.5 4l-3 12\"/>",
    ),
    (
        Place::Access,
        "/access",
        "Access",
        "a",
        "<path d=\"M9.2 10.8 16.5 3.5M13.5 6.5l2 2M11.5 8.5l1.5 1.5M9.8 13.2a3.2 3.2 0 1 1-6.4 0 3.2 3.2 0 0 1 6.4 0z\"/>",
    ),
    (
        Place::Configuration,
        "/configuration",
        "Configuration",
        "c",
        "<path d=\"M3 5.5h8M15 5.5h2M3 14.5h2M9 14.5h8M13 3.5v4M7 12.5v4M3 10h5M12 10h5M10 8v4\"/>",
    ),
];

/// Frames the main part of a page; `query` fills the search box.
pub(super) fn page(
    visit: &Visit,
    place: Place,
    title: &str,
    query: &str,
    main: &Markup,
) -> Response {
    let vault = &visit.parts().vault;
    let markup = html! {
        (DOCTYPE)
        html lang="en" data-look=[visit.look] {
            (head(&format!("{title} · {}", vault.name)))
            body {
                a.skip href="#main" { "Skip to content" }
                div.frame {
                    (side(visit, place, query))
                    div.content {
                        main #main tabindex="-1" { (main) }
                        footer {
                            span dir="ltr" { (vault.path.display()) }
                            span { "Crucible " (env!("CARGO_PKG_VERSION")) }
                        }
                    }
                }
                (help())
            }
        }
    };
    respond(markup)
}

/// Frames a page for somebody who was not let in: nothing on it comes from the vault.
pub(crate) fn bare_page(title: &str, main: &Markup) -> Response {
    respond(html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.bare {
                main #main {
                    img.seal src="/assets/crucible.svg" alt="" width="56" height="56";
                    (main)
                }
            }
        }
    })
}

fn respond(markup: Markup) -> Response {
    let html = markup.into_string();
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            link rel="icon" href="/assets/crucible.svg" type="image/svg+xml";
            link rel="stylesheet" href="/assets/crucible.css";
            script src="/assets/crucible.js" defer {}
        }
    }
}

fn side(visit: &Visit, here: Place, query: &str) -> Markup {
    html! {
        header.side {
            a.brand href="/" {
                img src="/assets/crucible.svg" alt="" width="30" height="30";
                span {
                    span.brand-name { "Crucible" }
                    span.brand-vault dir="auto" { (visit.parts().vault.name) }
                }
            }
            form.find role="search" action="/search" method="get" {
                label.unseen for="q" { "Search notes" }
                (sign("<circle cx=\"9\" cy=\"9\" r=\"5.5\"/><path d=\"m13.2 13.2 4 4\"/>"))
                input #q name="q" type="search" placeholder="Search notes" autocomplete="off" value=(query);
                kbd aria-hidden="true" { "/" }
            }
            nav aria-label="Places" {
                ul.places {
                    @for (place, address, name, key, drawing) in PLACES {
                        li {
                            a href=(address) data-key=(key) aria-current=[(place == here).then_some("page")] {
                                (sign(drawing)) span { (name) }
                            }
                        }
                    }
                }
            }
            div.side-foot {
                (condition(visit))
                div.side-tools {
                    button.quiet #look type="button" hidden { "Dark" }
                    button.quiet #help-open type="button" hidden aria-haspopup="dialog" { "Keys " kbd { "?" } }
                    @if !visit.parts().access.is_open() && visit.may(Scope::Read) {
                        form action="/logout" method="post" {
                            (visit.form_guard())
                            button.quiet type="submit" { "Log out" }
                        }
                    }
                }
            }
        }
    }
}

/// How the whole is, in a few words, on every page.
fn condition(visit: &Visit) -> Markup {
    let status = visit
        .health
        .as_ref()
        .map_or(HealthStatus::Unknown, |health| health.status);
    let (tone, word) = match status {
        HealthStatus::Unknown => ("none", "not running"),
        status => health_word(status),
    };
    html! {
        a.condition #condition data-live="" href="/services" {
            span.mark data-tone=(tone) { "All " (word) }
        }
    }
}

/// A small drawing; the words beside it say the same.
fn sign(drawing: &'static str) -> Markup {
    html! {
        svg.sign viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" focusable="false" {
            (PreEscaped(drawing))
        }
    }
}

fn help() -> Markup {
    let keys = [
        ("/", "search"),
        ("j, k", "next and previous in a list"),
        ("Enter", "open"),
        ("p", "pause or go on with events"),
        ("g o", "overview"),
        ("g n", "notes"),
        ("g e", "events"),
        ("g s", "services"),
        ("g r", "scripts"),
        ("g a", "access"),
        ("g c", "configuration"),
        ("?", "this help"),
        ("Esc", "close, or leave a field"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl.keys {
                @for (key, meaning) in keys {
                    div { dt { kbd { (key) } } dd { (meaning) } }
                }
            }
            form method="dialog" { button type="submit" { "Close" } }
        }
    }
}
