//! The resources under `/api/v1`, one file each, and the two probes at the root.

mod events;
mod health;
mod links;
mod metrics;
mod notes;
pub(crate) mod problems;
mod search;
mod services;
mod stats;
mod vault;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::routing::{get, post};

use crate::error::{ApiError, Code};
use crate::state::ApiState;

/// Routes whose answer is one body.
pub(crate) fn answers() -> Router<ApiState> {
    Router::new()
        .route("/livez", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/api/v1/health", get(health::health))
        .route("/api/v1/services", get(services::list))
        .route("/api/v1/services/{name}", get(services::one))
        .route("/api/v1/services/{name}/start", post(services::start))
        .route("/api/v1/services/{name}/stop", post(services::stop))
        .route("/api/v1/services/{name}/restart", post(services::restart))
        .route("/api/v1/stats", get(stats::stats))
        .route("/api/v1/metrics", get(metrics::metrics))
        .route("/api/v1/search", get(search::search))
        .route("/api/v1/notes", get(notes::list))
        .route("/api/v1/notes/{*reference}", get(notes::one))
        .route("/api/v1/links/{*reference}", get(links::links))
        .route("/api/v1/problems", get(problems::problems))
        .route("/api/v1/events/recent", get(events::recent))
        .route("/api/v1/vault", get(vault::vault))
}

/// Routes whose answer goes on until somebody closes it.
pub(crate) fn streams() -> Router<ApiState> {
    Router::new().route("/api/v1/events", get(events::stream))
}

/// The one variable part of a path, decoded: a note's path or another reference, or a name.
pub(crate) struct Named(pub(crate) String);

impl FromRequestParts<ApiState> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        match path {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(ApiError::new(
                Code::InvalidQuery,
                format!("the path cannot be read: {}", error.body_text()),
            )
            .hint("percent-encode the name as UTF-8")),
        }
    }
}
