//! A fault, shown to a person: the cause, the cure, and the notes that may have been meant.

use axum::response::Response;
use maud::html;

use super::layout::{self, Place};
use super::parts::{fault, note_link};
use super::visit::Visit;
use crate::error::{ApiError, Code};

/// Renders `error` with its own status code.
pub(super) fn error_page(visit: &Visit, query: &str, error: &ApiError) -> Response {
    let detail = error.detail();
    let names_notes = matches!(detail.code, Code::NotFound | Code::Ambiguous);
    let title = match detail.code {
        Code::NotFound => "No such note",
        Code::Ambiguous => "Several notes have this name",
        Code::InvalidQuery => "This cannot be read",
        Code::NoSuchService => "No such service",
        Code::Unavailable => "Not available now",
        Code::Refused => "Not done",
        _ => error.status().canonical_reason().unwrap_or("Error"),
    };
    let main = html! {
        header.page-head { h1 { (title) } }
        (fault(&detail.message))
        @if let Some(hint) = &detail.hint { p { (hint) } }
        @if names_notes && !detail.candidates.is_empty() {
            section aria-labelledby="candidates" {
                h2 #candidates { "Did you mean" }
                ul.rows data-list="" {
                    @for path in &detail.candidates { li { (note_link(path, path)) } }
                }
            }
        }
        p.after { a href="/" { "Overview" } " · " a href="/notes" { "All notes" } }
    };
    let mut response = layout::page(visit, Place::Elsewhere, title, query, &main);
    *response.status_mut() = error.status();
    response
}
