//! Changes of notes, each naming the content that the writer has seen; their record, and undoing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use crucible_services::access::Principal;
use crucible_services::note_writer::{
    Author, Change, CreateNote, DeleteNote, Edit, EditNote, MoveNote, NoteWriter, Written,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Named;
use crate::body::Body;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// The most changes that one answer holds.
pub(crate) const HISTORY_MAX: usize = 1000;
/// How many changes an answer holds when the request does not say.
const HISTORY_DEFAULT: usize = 50;

/// The body of an edit; the path is in the address.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edits {
    /// The hash of the content that the writer has seen.
    pub(crate) seen: String,
    /// The edits, each applied to the result of the one before.
    pub(crate) edits: Vec<Edit>,
}

/// The body of an undo.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undo {
    /// The change to undo; `null` for the newest that is not undone yet.
    pub(crate) change: Option<String>,
}

/// `POST /notes`: creates a note; never replaces one.
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(note): Body<CreateNote>,
) -> Result<(StatusCode, Json<Written>), ApiError> {
    let written = writer(&state)?.create(note, author(&principal)).await?;
    Ok((StatusCode::CREATED, Json(written)))
}

/// `PATCH /notes/{path}`: all edits, or none.
pub(super) async fn edit(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Named(path): Named,
    Body(Edits { seen, edits }): Body<Edits>,
) -> Result<Json<Written>, ApiError> {
    let request = EditNote { path, seen, edits };
    let written = writer(&state)?.edit(request, author(&principal)).await?;
    Ok(Json(written))
}

/// `POST /moves`: moves or renames a note.
pub(super) async fn rename(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(request): Body<MoveNote>,
) -> Result<Json<Written>, ApiError> {
    let written = writer(&state)?.rename(request, author(&principal)).await?;
    Ok(Json(written))
}

/// `DELETE /notes/{path}?seen=`: the content stays in the record.
pub(super) async fn delete(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Named(path): Named,
    uri: Uri,
) -> Result<Json<Written>, ApiError> {
    let params = Params::read(&uri, &["seen"])?;
    let seen = params.required("seen")?.to_owned();
    let request = DeleteNote { path, seen };
    let written = writer(&state)?.delete(request, author(&principal)).await?;
    Ok(Json(written))
}

/// `POST /undo`: undoes one change, which is a change of its own.
pub(super) async fn undo(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(Undo { change }): Body<Undo>,
) -> Result<Json<Written>, ApiError> {
    let writer = writer(&state)?;
    let written = writer.undo(change.as_deref(), author(&principal)).await?;
    Ok(Json(written))
}

/// `GET /history?path=&limit=`: the changes made through this interface, newest first.
pub(super) async fn history(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Change>>, ApiError> {
    let params = Params::read(&uri, &["path", "limit"])?;
    let limit = params.number("limit", 1..=HISTORY_MAX, HISTORY_DEFAULT)?;
    let changes = writer(&state)?.history(params.one("path")?, limit).await?;
    Ok(Json(changes))
}

fn author(principal: &Principal) -> Author {
    Author::new(format!("api:{}", principal.name))
}

fn writer(state: &ApiState) -> Result<&Arc<dyn NoteWriter>, ApiError> {
    let writer = state.parts.writer.as_ref();
    writer.ok_or_else(|| ApiError::not_offered("way to change notes"))
}
