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

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use crucible_services::access::Scope;

use crate::auth;
use crate::error::{ApiError, Code};
use crate::route::Route;
use crate::state::ApiState;

/// Routes whose answer is one body.
pub(crate) fn answers() -> Vec<Route> {
    vec![
        Route::get("/livez", health::alive).public(),
        Route::get("/readyz", health::ready),
        Route::get("/api/v1/health", health::health),
        Route::get("/api/v1/health/live", health::alive).public(),
        Route::get("/api/v1/services", services::list),
        Route::get("/api/v1/services/{name}", services::one),
        Route::post("/api/v1/services/{name}/start", services::start),
        Route::post("/api/v1/services/{name}/stop", services::stop),
        Route::post("/api/v1/services/{name}/restart", services::restart),
        Route::get("/api/v1/stats", stats::stats),
        Route::get("/api/v1/metrics", metrics::metrics),
        Route::get("/api/v1/search", search::search),
        Route::get("/api/v1/notes", notes::list),
        Route::get("/api/v1/notes/{*reference}", notes::one),
        Route::get("/api/v1/links/{*reference}", links::links),
        Route::get("/api/v1/problems", problems::problems),
        Route::get("/api/v1/events/recent", events::recent),
        Route::get("/api/v1/vault", vault::vault),
        Route::get("/login", auth::login).public().page(),
        Route::post("/logout", auth::logout)
            .needs(Scope::Read)
            .page(),
    ]
}

/// Routes whose answer goes on until somebody closes it.
pub(crate) fn streams() -> Vec<Route> {
    vec![Route::get("/api/v1/events", events::stream)]
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
