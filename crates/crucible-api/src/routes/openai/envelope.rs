//! Faults in OpenAI's envelope.
//!
//! Every fault under `/v1`, whoever refuses, is put into the envelope that clients of OpenAI's
//! read: `{"error": {"message", "type", "param", "code"}}`. The status code stays.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Code, ErrorDetail};

/// The body of every answer under `/v1` that is a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct OpenAiFault {
    error: OpenAiError,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct OpenAiError {
    /// The cause and the cure, for people.
    message: String,
    /// Which sort of fault, as OpenAI sorts them.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field at fault, where one is.
    param: Option<String>,
    /// For programs: OpenAI's code where it has one, and otherwise that of `ErrorDetail`.
    code: String,
}

impl OpenAiFault {
    pub(super) fn new(detail: &ErrorDetail, status: StatusCode) -> Self {
        let message = match &detail.hint {
            Some(hint) => format!("{}: {hint}", detail.message),
            None => detail.message.clone(),
        };
        let param = match detail.code {
            Code::ModelMissing | Code::ModelBroken => Some("model".to_owned()),
            _ => detail.reference.clone(),
        };
        Self {
            error: OpenAiError {
                message,
                kind: kind(status),
                param,
                code: code(detail.code),
            },
        }
    }
}

/// Rewrites the faults of paths under `/v1`.
pub(crate) async fn envelope(request: Request, next: Next) -> Response {
    let is_ours = is_ours(request.uri());
    let response = next.run(request).await;
    if !is_ours {
        return response;
    }
    let Some(detail) = response.extensions().get::<ErrorDetail>() else {
        return response;
    };
    let body = Json(OpenAiFault::new(detail, response.status()));
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    (parts.status, parts.headers, body).into_response()
}

fn is_ours(uri: &Uri) -> bool {
    let rest = uri.path().strip_prefix("/v1");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// Returns OpenAI's name where it has one, and ours otherwise.
fn code(code: Code) -> String {
    match code {
        Code::ModelMissing => "model_not_found".to_owned(),
        Code::Unauthenticated | Code::TokenRefused => "invalid_api_key".to_owned(),
        Code::Busy | Code::TooManyAttempts => "rate_limit_exceeded".to_owned(),
        other => serde_json::to_value(other)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}
