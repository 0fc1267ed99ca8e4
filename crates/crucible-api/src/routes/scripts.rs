//! Scripts: what is installed and granted, what they logged; granting, loading and calling.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use crucible_services::access::Principal;
use crucible_services::script::{CallOutcome, CallRequest, LogLine, ScriptInfo};
use crucible_services::service_traits::ScriptEngine;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Named;
use crate::body::Body;
use crate::error::{ApiError, Code};
use crate::params::Params;
use crate::state::ApiState;

/// The most log lines that one answer holds.
pub(crate) const LOG_MAX: usize = 1000;
/// How many log lines an answer holds when the request does not say.
const LOG_DEFAULT: usize = 100;
/// The most arguments of a call.
const ARGUMENTS_MAX: usize = 16;

/// What is granted from now on, instead of what was.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grants {
    /// The hash of the manifest that the person has seen.
    pub(crate) manifest: String,
    /// All capabilities that are granted, as the script asks for them; none takes all back.
    pub(crate) capabilities: Vec<String>,
}

/// A function to call.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The function's name.
    pub(crate) function: String,
    /// Its arguments.
    #[serde(default)]
    pub(crate) arguments: Vec<Value>,
    /// True when writes are told instead of made.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// A script's text to check.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// The text.
    pub(crate) source: String,
}

/// That a script's text has no fault.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Checked {
    /// Always true: a fault comes as an error.
    pub(crate) ok: bool,
}

/// `GET /scripts`
pub(super) async fn list(
    State(state): State<ApiState>,
    uri: Uri,
) -> Result<Json<Vec<ScriptInfo>>, ApiError> {
    Params::read(&uri, &[])?;
    Ok(Json(engine(&state)?.scripts().await?))
}

/// `GET /scripts/{name}`
pub(super) async fn one(
    State(state): State<ApiState>,
    Named(name): Named,
    uri: Uri,
) -> Result<Json<ScriptInfo>, ApiError> {
    Params::read(&uri, &[])?;
    let scripts = engine(&state)?.scripts().await?;
    let names: Vec<String> = scripts.iter().map(|script| script.name.clone()).collect();
    let found = scripts.into_iter().find(|script| script.name == name);
    found.map(Json).ok_or_else(|| {
        let message = format!("no script is called {name:?}");
        ApiError::new(Code::NoSuchScript, message).named(name, names)
    })
}

/// `GET /scripts/{name}/log?limit=`: the newest lines, oldest first.
pub(super) async fn log(
    State(state): State<ApiState>,
    Named(name): Named,
    uri: Uri,
) -> Result<Json<Vec<LogLine>>, ApiError> {
    let params = Params::read(&uri, &["limit"])?;
    let limit = params.number("limit", 1..=LOG_MAX, LOG_DEFAULT)?;
    Ok(Json(engine(&state)?.log(&name, limit).await?))
}

/// `POST /scripts/{name}/grant`: grants exactly what is named.
pub(super) async fn grant(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Named(name): Named,
    Body(grants): Body<Grants>,
) -> Result<Json<ScriptInfo>, ApiError> {
    let engine = engine(&state)?;
    let by = format!("api:{}", principal.name);
    let granted = engine.grant(&name, &grants.manifest, &grants.capabilities, &by);
    Ok(Json(granted.await?))
}

/// `POST /scripts/{name}/reload`
pub(super) async fn reload(
    State(state): State<ApiState>,
    Named(name): Named,
) -> Result<Json<ScriptInfo>, ApiError> {
    Ok(Json(engine(&state)?.reload(&name).await?))
}

/// `POST /scripts/{name}/call`
pub(super) async fn call(
    State(state): State<ApiState>,
    Named(name): Named,
    Body(call): Body<Call>,
) -> Result<Json<CallOutcome>, ApiError> {
    if call.arguments.len() > ARGUMENTS_MAX {
        let message = format!("a function takes at most {ARGUMENTS_MAX} arguments");
        return Err(ApiError::new(Code::InvalidBody, message));
    }
    let request = CallRequest {
        script: name,
        function: call.function,
        arguments: call.arguments,
        budget: None,
        cause: None,
        dry_run: call.dry_run,
    };
    Ok(Json(engine(&state)?.call(request).await?))
}

/// `POST /check-script`: compiles a text without installing or running it.
pub(super) async fn check(
    State(state): State<ApiState>,
    Body(Source { source }): Body<Source>,
) -> Result<Json<Checked>, ApiError> {
    engine(&state)?.check(&source).await?;
    Ok(Json(Checked { ok: true }))
}

fn engine(state: &ApiState) -> Result<&Arc<dyn ScriptEngine>, ApiError> {
    let scripts = state.parts.scripts.as_ref();
    scripts.ok_or_else(|| ApiError::not_offered("script engine"))
}
