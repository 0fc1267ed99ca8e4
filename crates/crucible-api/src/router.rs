//! The whole API as one function from request to response.
//!
//! Layers, outermost first: security headers, span, panics, `guard`, `auth`;
//! then, before
//! REST, pages and gRPC, the number of requests, the deadline and the size of the body.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use tokio_util::sync::CancellationToken;

use crate::config::{ApiConfig, ApiParts};
use crate::error::{ApiError, Code};
use crate::route::{self, Route};
use crate::state::ApiState;
use crate::{auth, dashboard, grpc, guard, limits, mcp, observe, routes};

/// Returns the API over `parts`, with default bounds and no socket of its own: event streams end
/// only when the core does, and any port is accepted in the `Host` header.
pub fn router(parts: ApiParts) -> Router {
    router_with(ApiConfig::default(), parts, None, CancellationToken::new())
}

/// Returns the API over `parts`.
///
/// `port` is the port that requests must name, if they name one; event streams end when `closing`
/// is cancelled.
pub fn router_with(
    config: ApiConfig,
    parts: ApiParts,
    port: Option<u16>,
    closing: CancellationToken,
) -> Router {
    let gateway = parts.mcp.clone();
    let (answers, streams) = (routes::answers(), routes::streams());
    let inference = routes::inference();
    let pages = dashboard::pages();
    let calls = grpc::routes();
    let declared: Vec<Route> = [&answers, &streams, &inference, &pages, &calls]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let state = ApiState::new(config, parts, &declared, port, closing);
    let answers = route::router(&answers)
        .merge(route::router(&pages))
        // The places and the deadline of a call are those of its first word: a stream that has
        // begun takes the place of an event stream.
        .merge(route::router(&calls).layer(from_fn(grpc::media_type)))
        // Ours bounds bodies, per route.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), limits::body_size))
        .layer(from_fn_with_state(state.clone(), limits::deadline))
        .layer(from_fn_with_state(state.clone(), limits::concurrency));
    let inference = route::router(&inference)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(state.clone(), limits::body_size))
        .layer(from_fn_with_state(
            state.clone(),
            limits::inference_deadline,
        ))
        .layer(from_fn_with_state(state.clone(), limits::inferences));
    let mut router = Router::new()
        .merge(answers)
        .merge(inference)
        .merge(route::router(&streams))
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed);
    if let Some(gateway) = gateway {
        router = router.merge(mcp::mount(gateway, &state));
    }
    router
        .layer(from_fn_with_state(state.clone(), auth::authenticate))
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .layer(from_fn(observe::catch_panic))
        .layer(from_fn(routes::openai_envelope))
        .layer(from_fn(grpc::envelope))
        .layer(from_fn(observe::span))
        .layer(from_fn(observe::security_headers))
        .with_state(state)
}

async fn no_such_route(uri: Uri) -> ApiError {
    let message = format!("nothing is at {}", uri.path());
    ApiError::new(Code::NoSuchRoute, message).hint("the REST interface is under /api/v1")
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError::new(Code::MethodNotAllowed, message).hint("the Allow header says what it takes")
}
