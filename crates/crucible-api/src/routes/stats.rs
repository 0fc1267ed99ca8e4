//! How much the store holds.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_services::data_store::StoreStats;

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /stats`
pub(super) async fn stats(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<StoreStats>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.store.stats().await?))
}
