//! Which vault is served.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;

use crate::config::VaultInfo;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /vault`
pub(super) async fn vault(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<VaultInfo>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.vault.clone()))
}
