//! Whether the daemon is alive, ready and well, and was.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use crucible_core::{CoreState, HealthRecord, SystemHealth};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// How many checks the history holds when the request does not say.
const HISTORY_DEFAULT: usize = 200;
/// The most checks that one answer holds: those of some hundred services.
const HISTORY_MAX: usize = 20_000;

/// The answer of a probe.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Probe {
    /// `ok`, or `not_ready`.
    status: &'static str,
    /// What is missing, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// `GET /livez` and `/api/v1/health/live`: 200 as long as requests are answered at all.
pub(super) async fn alive() -> Json<Probe> {
    Json(Probe {
        status: "ok",
        reasons: Vec::new(),
    })
}

/// `GET /readyz` and `/api/v1/health/ready`: 200 when every service is ready for work, else 503
/// with what is missing.
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

/// `GET /api/v1/health`: what is known of the whole and of each service.
pub(super) async fn health(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<SystemHealth>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.core.get_system_health().await?))
}

/// `GET /api/v1/health/now`: asks every service anew.
pub(super) async fn now(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<SystemHealth>, ApiError> {
    Params::read(&uri, &[])?;
    let core = &state.parts.core;
    core.perform_health_check().await?;
    Ok(Json(core.get_system_health().await?))
}

/// `GET /api/v1/health/history?service=&limit=`: the last checks, oldest first.
pub(super) async fn history(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<HealthRecord>>, ApiError> {
    let params = Params::read(&uri, &["service", "limit"])?;
    let limit = params.number("limit", 1..=HISTORY_MAX, HISTORY_DEFAULT)?;
    let core = &state.parts.core;
    let mut records = core.get_health_history().await;
    if let Some(name) = params.one("service")? {
        // Makes the core name those that may have been meant.
        core.get_service(name).await?;
        records.retain(|record| record.service == name);
    }
    let begin = records.len().saturating_sub(limit);
    Ok(Json(records.split_off(begin)))
}
