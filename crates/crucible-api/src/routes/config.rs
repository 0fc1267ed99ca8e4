//! The settings in force: shown with where they come from, checked, changed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use crucible_services::access::Principal;
use crucible_services::configuration::{Changed, Configuration, Setting, SettingChange};

use crate::body::Body;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// `GET /config`: every setting in force, with where it comes from; secrets without their value.
pub(super) async fn show(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<Setting>>, ApiError> {
    Params::read(&uri, &[])?;
    let mut settings = configuration(&state)?.effective();
    // Whoever composes the settings leaves secrets out; this makes sure of it.
    for setting in settings.iter_mut().filter(|setting| setting.secret) {
        setting.value = serde_json::Value::Null;
    }
    Ok(Json(settings))
}

/// `PATCH /config`: makes all changes or none.
pub(super) async fn change(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(changes): Body<Vec<SettingChange>>,
) -> Result<Json<Changed>, ApiError> {
    let by = format!("api:{}", principal.name);
    Ok(Json(configuration(&state)?.change(&changes, &by).await?))
}

/// `POST /config/validate`: checks changes without making them.
pub(super) async fn validate(
    State(state): State<ApiState>,
    Body(changes): Body<Vec<SettingChange>>,
) -> Result<StatusCode, ApiError> {
    configuration(&state)?.validate(&changes).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn configuration(state: &ApiState) -> Result<&Arc<dyn Configuration>, ApiError> {
    let configuration = state.parts.configuration.as_ref();
    configuration.ok_or_else(|| ApiError::not_offered("settings to show or change"))
}
