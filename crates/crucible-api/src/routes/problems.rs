//! What was skipped or found faulty in the vault.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_services::data_store::Problem;

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// The most problems that one answer holds; each is some hundred bytes.
pub(crate) const LIMIT_MAX: usize = 10_000;
/// How many problems an answer holds when the request does not say.
const LIMIT_DEFAULT: usize = 100;

/// `GET /problems?limit=`
pub(super) async fn problems(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Problem>>, ApiError> {
    let params = Params::read(&uri, &["limit"])?;
    let limit = params.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)?;
    Ok(Json(state.parts.store.problems(limit).await?))
}
