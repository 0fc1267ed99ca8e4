//! The place where the MCP gateway is mounted.
//!
//! The gateway bounds bodies and times itself; it stands behind the guard like everything else.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures_util::StreamExt as _;

use crate::state::ApiState;

/// Returns what answers at `/mcp` and below.
pub(crate) fn mount(gateway: Router, state: &ApiState) -> Router<ApiState> {
    let gateway = gateway.layer(from_fn_with_state(state.clone(), end_listening));
    Router::new().nest_service("/mcp", gateway)
}

/// Ends answers to GET when the API closes: a client keeps such a stream open to listen for as
/// long as it lives, and a stop would wait for it in vain. Answers to calls are left to finish.
async fn end_listening(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let listens = request.method() == Method::GET;
    let response = next.run(request).await;
    if !listens {
        return response;
    }
    let closing = state.closing.clone();
    response.map(|body| {
        let open = body.into_data_stream();
        Body::from_stream(open.take_until(closing.cancelled_owned()))
    })
}
