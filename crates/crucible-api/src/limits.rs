//! How much may be asked at once, how large, and how long an answer may take.
//!
//! These stand before REST and pages. Event streams are bounded by their number instead, and
//! `/mcp` bounds itself.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::Limited;

use crate::error::{ApiError, Code};
use crate::route::BodySize;
use crate::state::ApiState;

/// Refuses at once when too many requests are being answered already.
pub(crate) async fn concurrency(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = Arc::clone(&state.requests).try_acquire_owned() else {
        return ApiError::new(
            Code::Overloaded,
            format!(
                "{} requests are being answered already",
                state.config.requests_max
            ),
        )
        .hint("ask again in a moment")
        .into_response();
    };
    next.run(request).await
}

/// Refuses at once when too much is being computed already.
pub(crate) async fn inferences(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = Arc::clone(&state.inferences).try_acquire_owned() else {
        let count = state.config.inferences_max;
        let message = format!("{count} requests are being computed already");
        return ApiError::new(Code::Overloaded, message)
            .hint("ask again in a moment")
            .into_response();
    };
    next.run(request).await
}

/// Answers for a handler that takes too long; the handler is dropped.
pub(crate) async fn deadline(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    within(state.config.request_deadline, request, next).await
}

/// As [`deadline`], for what computes.
pub(crate) async fn inference_deadline(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    within(state.config.inference_deadline, request, next).await
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => ApiError::new(
            Code::DeadlineExceeded,
            format!("no answer within {} s", limit.as_secs()),
        )
        .hint("narrow the request, or look at GET /api/v1/health")
        .into_response(),
    }
}

/// Refuses a body that says it is too large, and ends one that turns out to be.
pub(crate) async fn body_size(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map(MatchedPath::as_str);
    let gate = state.gates.of(request.method(), path, request.uri().path());
    let limit = match gate.body {
        BodySize::Small => state.config.body_bytes_max,
        BodySize::Note => state.config.note_bytes_max,
        BodySize::Inference => state.config.inference_bytes_max,
    };
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|bytes| usize::try_from(bytes).map_or(true, |b| b > limit)) {
        return ApiError::new(
            Code::BodyTooLarge,
            format!("the body is larger than {limit} bytes"),
        )
        .into_response();
    }
    let request = request.map(|body| Body::new(Limited::new(body, limit)));
    next.run(request).await
}
