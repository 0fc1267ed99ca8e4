//! Notes: a listing by pages, and each with its text.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use crucible_services::data_store::{ListRequest, Note, NotePage};

use super::Named;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /notes?folder=&tag=&limit=&cursor=`
pub(super) async fn list(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<NotePage>, ApiError> {
    let params = Params::read(&uri, &["folder", "tag", "limit", "cursor"])?;
    let request = ListRequest {
        folder: params.one("folder")?.map(str::to_owned),
        tag: params.one("tag")?.map(str::to_owned),
        limit: params.number(
            "limit",
            1..=ListRequest::LIMIT_MAX,
            ListRequest::LIMIT_DEFAULT,
        )?,
        cursor: params.one("cursor")?.map(str::to_owned),
    };
    Ok(Json(state.parts.store.list_notes(request).await?))
}

/// `GET /notes/{reference}`; a path, a file name, a title or an alias, percent-encoded.
pub(super) async fn one(
    State(state): State<ApiState>,
    Named(reference): Named,
    uri: Uri,
) -> Result<Json<Note>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.store.note(&reference).await?))
}
