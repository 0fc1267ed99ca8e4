//! The supervised services: what they are doing, and a hand on their switches.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_core::ServiceStatus;

use super::Named;
use crate::error::{ApiError, Code};
use crate::params::Params;
use crate::service::SERVICE_NAME;
use crate::state::ApiState;

/// `GET /services`
pub(super) async fn list(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<ServiceStatus>>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.core.list_services().await?))
}

/// `GET /services/{name}`
pub(super) async fn one(
    State(state): State<ApiState>,
    Named(name): Named,
    uri: Uri,
) -> Result<Json<ServiceStatus>, ApiError> {
    Params::read(&uri, &[])?;
    status_of(&state, &name).await
}

/// `POST /services/{name}/start`
pub(crate) async fn start(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<Json<ServiceStatus>, ApiError> {
    state.parts.core.start_service(&name).await?;
    status_of(&state, &name).await
}

/// `POST /services/{name}/stop`; `api` and all that it needs must go on.
pub(crate) async fn stop(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<Json<ServiceStatus>, ApiError> {
    let services = state.parts.core.list_services().await?;
    if needs(&services, SERVICE_NAME).contains(&name.as_str()) {
        return Err(cannot_be(&name, "stopped"));
    }
    state.parts.core.stop_service(&name).await?;
    status_of(&state, &name).await
}

/// `POST /services/{name}/restart`; what the API needs may be away for a moment, it itself not.
pub(crate) async fn restart(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<Json<ServiceStatus>, ApiError> {
    if name == SERVICE_NAME {
        return Err(cannot_be(&name, "restarted"));
    }
    state.parts.core.restart_service(&name).await?;
    status_of(&state, &name).await
}

/// Refuses what would end this very request, or leave nobody to answer the next one.
fn cannot_be(name: &str, done: &str) -> ApiError {
    ApiError::new(
        Code::Refused,
        format!("{name} cannot be {done} through the API, which needs it to answer"),
    )
    .hint("restart the daemon instead")
}

/// Returns `name` and all it depends on, directly or not.
fn needs<'a>(services: &'a [ServiceStatus], name: &'a str) -> Vec<&'a str> {
    let mut found = vec![name];
    let mut next = 0;
    while let Some(&name) = found.get(next) {
        next += 1;
        let status = services.iter().find(|service| service.name == name);
        for dependency in status.into_iter().flat_map(|s| &s.dependencies) {
            if !found.contains(&dependency.as_str()) {
                found.push(dependency);
            }
        }
    }
    found
}

/// Returns what one service is doing.
pub(crate) async fn status_of(
    state: &ApiState,
    name: &str,
) -> Result<Json<ServiceStatus>, ApiError> {
    // Asking for the service first makes the core name those that may have been meant.
    state.parts.core.get_service(name).await?;
    let services = state.parts.core.list_services().await?;
    services
        .into_iter()
        .find(|service| service.name == name)
        .map(Json)
        .ok_or_else(|| {
            ApiError::new(
                Code::NoSuchService,
                format!("the service {name:?} has gone"),
            )
        })
}
