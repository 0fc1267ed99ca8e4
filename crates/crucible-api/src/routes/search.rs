//! Search over the blocks of all notes.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_services::data_store::{SearchRequest, SearchResponse};

use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /search?q=&limit=&folder=&tag=&mode=`; `tag` may be repeated, and all of them must be
/// carried.
pub(super) async fn search(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<SearchResponse>, ApiError> {
    let params = Params::read(&uri, &["q", "limit", "folder", "tag", "mode"])?;
    let mut request = SearchRequest::new(params.required("q")?);
    request.limit = params.number("limit", 1..=SearchRequest::LIMIT_MAX, request.limit)?;
    request.folder = params.one("folder")?.map(str::to_owned);
    request.tags = params.many("tag");
    if params.one("mode")?.is_some() {
        request.mode = params.variants("mode")?.pop().unwrap_or_default();
    }
    Ok(Json(state.parts.store.search(request).await?))
}
