//! What the pages load: one style sheet, one script, one icon; embedded in the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

pub(super) async fn style() -> Response {
    const STYLE: &str = include_str!("../../assets/crucible.css");
    asset("text/css; charset=utf-8", STYLE)
}

pub(super) async fn script() -> Response {
    const SCRIPT: &str = include_str!("../../assets/crucible.js");
    asset("text/javascript; charset=utf-8", SCRIPT)
}

pub(super) async fn icon() -> Response {
    const ICON: &str = include_str!("../../assets/crucible.svg");
    asset("image/svg+xml", ICON)
}

/// An asset may be kept for some minutes: it changes only with the program.
fn asset(content_type: &'static str, body: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "private, max-age=300"),
    ];
    (headers, body).into_response()
}
