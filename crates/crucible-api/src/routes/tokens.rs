//! Tokens of programs, and one-time links of browsers.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Named;
use crate::auth::{LoginCode, NewToken, TokenInfo};
use crate::body::Body;
use crate::error::ApiError;
use crate::params::Params;
use crate::state::ApiState;

/// A token that was just made.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Made {
    /// What its bearer sends after `Authorization: Bearer `. It is shown this once.
    pub(crate) token: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub(crate) info: TokenInfo,
}

/// `GET /tokens`
pub(super) async fn list(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<TokenInfo>>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(state.parts.access.list().await?))
}

/// `POST /tokens`
pub(super) async fn create(
    State(state): State<ApiState>,
    Body(token): Body<NewToken>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let made = state.parts.access.create(token).await?;
    tracing::info!(token = made.info.name, "a token was made");
    let body = Made {
        token: made.secret.reveal().to_owned(),
        info: made.info,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// `DELETE /tokens/{name}`
pub(super) async fn revoke(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<StatusCode, ApiError> {
    state.parts.access.revoke(&name).await?;
    tracing::info!(token = name, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /login-link`
pub(super) async fn login_link(
    State(state): State<ApiState>,
) -> Result<(StatusCode, Json<LoginCode>), ApiError> {
    let code = state.parts.access.login_code()?;
    Ok((StatusCode::CREATED, Json(code)))
}
