//! gRPC: the same listener, guard, tokens, scopes and bounds as REST, over HTTP/2.
//!
//! `proto/` has the interfaces: `crucible.v1.Services` and `crucible.v1.Events`, which are
//! `/api/v1/services` and `/api/v1/events` with the same names, and `grpc.health.v1.Health`, which
//! any prober speaks. Each is a thin layer over the functions that REST uses. [`proto`] is what the
//! build makes of the files, clients included. `status` puts faults into gRPC's words.

mod events;
mod events_convert;
mod health;
pub mod proto;
mod services;
mod services_convert;
mod status;
mod values;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use crucible_services::access::Scope;

use crate::error::{ApiError, Code};
use crate::route::Route;
use crate::state::ApiState;
use proto::events_server::EventsServer;
use proto::health::health_server::HealthServer;
use proto::services_server::ServicesServer;

pub(crate) use status::envelope;

/// Every call, and the scope that it needs.
pub(crate) fn routes() -> Vec<Route> {
    let health = |path| Route::post(path, health).needs(Scope::Read).rpc();
    let services = |path, scope| Route::post(path, services).needs(scope).rpc();
    let events = |path, scope| Route::post(path, events).needs(scope).rpc();
    vec![
        health("/grpc.health.v1.Health/Check"),
        health("/grpc.health.v1.Health/List"),
        health("/grpc.health.v1.Health/Watch"),
        services("/crucible.v1.Services/List", Scope::Read),
        services("/crucible.v1.Services/Get", Scope::Read),
        services("/crucible.v1.Services/Start", Scope::Control),
        services("/crucible.v1.Services/Stop", Scope::Control),
        services("/crucible.v1.Services/Restart", Scope::Control),
        events("/crucible.v1.Events/Publish", Scope::Control),
        events("/crucible.v1.Events/Recent", Scope::Read),
        events("/crucible.v1.Events/Subscribe", Scope::Read),
    ]
}

async fn health(State(state): State<ApiState>, request: Request) -> Response {
    let limit = state.config.body_bytes_max;
    let server = HealthServer::new(health::Desk(state)).max_decoding_message_size(limit);
    serve(server, request).await
}

async fn services(State(state): State<ApiState>, request: Request) -> Response {
    let limit = state.config.body_bytes_max;
    let server = ServicesServer::new(services::Desk(state)).max_decoding_message_size(limit);
    serve(server, request).await
}

async fn events(State(state): State<ApiState>, request: Request) -> Response {
    let limit = state.config.body_bytes_max;
    let server = EventsServer::new(events::Desk(state)).max_decoding_message_size(limit);
    serve(server, request).await
}

async fn serve<S>(mut server: S, request: Request) -> Response
where
    S: tonic::codegen::Service<
            Request,
            Response = axum::http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        >,
{
    match server.call(request).await {
        Ok(response) => status::with_own_codes(response).map(Body::new),
        Err(never) => match never {},
    }
}

/// Refuses what is not gRPC: a page of another site cannot send its media type unasked.
pub(crate) async fn media_type(request: Request, next: Next) -> Response {
    if is_grpc(request.headers()) {
        return next.run(request).await;
    }
    ApiError::new(Code::InvalidBody, "this is a gRPC method")
        .hint("call it with a gRPC client, or use the REST interface under /api/v1")
        .into_response()
}

/// Says whether a request is a call of gRPC.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.strip_prefix("application/grpc"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}
