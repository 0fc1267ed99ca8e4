//! The links of one note, both ways.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_services::data_store::NoteLinks;

use super::Named;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /links/{reference}`
pub(super) async fn links(
    State(state): State<ApiState>,
    Named(reference): Named,
    uri: Uri,
) -> Result<Json<NoteLinks>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.store.links(&reference).await?))
}
