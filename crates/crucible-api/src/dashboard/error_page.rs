//! A fault, shown to a person: the cause, the cure, and the notes that may have been meant.

use axum::response::{IntoResponse, Response};

use super::html::Html;
use super::layout;
use crate::config::VaultInfo;
use crate::error::ApiError;

/// Renders `error` with its own status code.
pub(super) fn error_page(vault: &VaultInfo, query: &str, error: &ApiError) -> Response {
    let detail = error.detail();
    let mut main = Html::default();
    main.raw("<h1>")
        .text(error.status().canonical_reason().unwrap_or("Error"))
        .raw("</h1>\n")
        .raw("<p class=\"fault\" role=\"alert\">")
        .text(&detail.message)
        .raw("</p>\n");
    if let Some(hint) = &detail.hint {
        main.raw("<p>").text(hint).raw("</p>\n");
    }
    if !detail.candidates.is_empty() {
        main.raw("<h2>Did you mean</h2>\n<ul class=\"plain\">\n");
        for path in &detail.candidates {
            main.raw("<li>").note_link(path, path).raw("</li>\n");
        }
        main.raw("</ul>\n");
    }
    let page = layout::page(vault, "Error", query, &main);
    (error.status(), page).into_response()
}
