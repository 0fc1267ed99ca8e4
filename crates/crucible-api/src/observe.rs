//! What surrounds every request: one span, a catch for panics, and headers that restrain browsers.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use crucible_services::tasks::panic_message;
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use crate::error::{ApiError, Code};

/// Sent with every answer. Pages load nothing from elsewhere and run no inline script, are framed
/// by nobody, and tell nobody else where a link was followed from. (`no-referrer` would make
/// browsers send our own forms with `Origin: null`.)
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Adds the headers, and forbids to keep what does not say otherwise: notes are private.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        let value = HeaderValue::from_static(value);
        // What comes from a vault is restrained more.
        if name == header::CONTENT_SECURITY_POLICY {
            headers.entry(name).or_insert(value);
        } else {
            headers.insert(name, value);
        }
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Opens a span with method, route, status and the name of who asks; never the address, which holds what was searched.
pub(crate) async fn span(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unknown", MatchedPath::as_str);
    let span = tracing::info_span!(
        "http.request",
        http.method = %request.method(),
        http.route = route,
        http.status = tracing::field::Empty,
        principal = tracing::field::Empty,
    );
    let began = tokio::time::Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.status", response.status().as_u16());
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(parent: &span, duration_ms, "request answered");
    response
}

/// Turns a panic of a handler into an answer.
pub(crate) async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(
                error = panic_message(panic.as_ref()),
                "request handler panicked"
            );
            ApiError::new(Code::Internal, "the handler of this request broke down")
                .hint("the daemon's log has the cause")
                .into_response()
        }
    }
}
