//! Whether the daemon is alive, ready and well.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use crucible_core::{CoreState, SystemHealth};
use serde::Serialize;

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// The body of both probes.
#[derive(Serialize)]
struct Probe {
    status: &'static str,
    /// What is missing, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// `GET /livez`: 200 as long as requests are answered at all.
pub(super) async fn alive() -> Json<impl Serialize> {
    Json(Probe {
        status: "ok",
        reasons: Vec::new(),
    })
}

/// `GET /readyz`: 200 when every service is ready for work, else 503 with what is missing.
pub(super) async fn ready(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let core = &state.parts.core;
    let mut reasons = Vec::new();
    let core_state = core.get_state().await;
    if core_state != CoreState::Running {
        reasons.push(format!("the core is {core_state}"));
    }
    for service in core.list_services().await? {
        if !service.ready {
            reasons.push(format!("{} is not ready", service.name));
        }
    }
    let (code, status) = if reasons.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    Ok((code, Json(Probe { status, reasons })).into_response())
}

/// `GET /api/v1/health`: the health of the whole and of each service.
pub(super) async fn health(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<SystemHealth>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.core.get_system_health().await?))
}
