//! The figures of the coordinator.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_core::CoreMetrics;

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /metrics`
pub(super) async fn metrics(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<CoreMetrics>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.core.get_metrics().await?))
}
