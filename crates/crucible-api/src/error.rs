//! Every fault the API can answer with: one envelope, and the one place that chooses status codes.
//!
//! ```json
//! {"error": {"code": "not_found", "message": "no note is called \"Hom\"; did you mean Home.md?",
//!            "candidates": ["Home.md"], "reference": "Hom"}}
//! ```
//!
//! `from` makes faults of the errors of services, and `into` undoes it for the client.
//!
//! `code` is stable and meant for programs, `message` for people. [`ErrorDetail`] is what the
//! client reads back.

mod from;
mod inference;
mod into;
mod scripts;

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crucible_services::access::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong, for programs. Names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// No note has the name asked for.
    NotFound,
    /// Several notes have the name asked for.
    Ambiguous,
    /// A parameter or the query cannot be read.
    InvalidQuery,
    /// What would answer cannot do so now.
    Unavailable,
    /// Something broke.
    Internal,
    /// No resource has this path.
    NoSuchRoute,
    /// The resource does not take this method.
    MethodNotAllowed,
    /// The `Host` header does not name this machine.
    HostRefused,
    /// The `Origin` header names another site.
    OriginRefused,
    /// The request names nobody.
    Unauthenticated,
    /// The token is not known, or has expired.
    TokenRefused,
    /// The bearer may do other things, but not this one.
    ScopeMissing,
    /// Too many wrong tokens or links were tried lately.
    TooManyAttempts,
    /// The form was not sent by a page of this session.
    FormRefused,
    /// The request's body is too large.
    BodyTooLarge,
    /// The answer took too long.
    DeadlineExceeded,
    /// Too much is being answered already.
    Overloaded,
    /// The request's body cannot be read, or says what cannot be.
    InvalidBody,
    /// Something has this name already.
    Exists,
    /// The path cannot be a note's.
    InvalidPath,
    /// The note has other content than the writer had seen. Nothing was written.
    Conflict,
    /// An edit does not fit the note's text. Nothing was written.
    EditRefused,
    /// There is no change that could be undone.
    NothingToUndo,
    /// Notes cannot be written here.
    ReadOnly,
    /// Settings are wrong. Nothing was changed.
    InvalidSettings,
    /// No token has the name asked for.
    NoSuchToken,
    /// This daemon was started without the part that would answer.
    NotOffered,
    /// No script has the name asked for.
    NoSuchScript,
    /// A script's files or text have a fault.
    ScriptRefused,
    /// A script failed, or was stopped.
    ScriptFailed,
    /// Nothing offers the model asked for.
    ModelMissing,
    /// The model's files cannot be used.
    ModelBroken,
    /// Too much inference is waiting, or who computes asks to wait.
    Busy,
    /// Who computes for us failed.
    ProviderFailed,
    /// No service has the name asked for.
    NoSuchService,
    /// The service, or the core, does not do what was asked in its present state.
    Refused,
    /// The service tried to do what was asked and failed.
    ServiceFailed,
}

impl Code {
    /// Returns the status code; chosen here and nowhere else.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::InvalidQuery | Self::InvalidBody | Self::InvalidPath => StatusCode::BAD_REQUEST,
            Self::EditRefused | Self::InvalidSettings | Self::ScriptRefused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Unauthenticated | Self::TokenRefused => StatusCode::UNAUTHORIZED,
            Self::HostRefused
            | Self::OriginRefused
            | Self::ScopeMissing
            | Self::FormRefused
            | Self::ReadOnly => StatusCode::FORBIDDEN,
            Self::TooManyAttempts | Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::ProviderFailed => StatusCode::BAD_GATEWAY,
            Self::NotFound
            | Self::NoSuchRoute
            | Self::NoSuchScript
            | Self::NoSuchService
            | Self::NoSuchToken
            | Self::ModelMissing => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotOffered => StatusCode::NOT_IMPLEMENTED,
            Self::Ambiguous
            | Self::Refused
            | Self::Exists
            | Self::Conflict
            | Self::NothingToUndo => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Internal | Self::ServiceFailed | Self::ScriptFailed | Self::ModelBroken => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Unavailable | Self::DeadlineExceeded | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Returns how many seconds to wait before asking again, where waiting helps.
    const fn retry_after_s(self) -> Option<u16> {
        match self {
            Self::Unavailable | Self::Overloaded | Self::Busy => Some(1),
            Self::DeadlineExceeded | Self::TooManyAttempts => Some(5),
            _ => None,
        }
    }
}

/// The body of every answer that is a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail {
    /// For programs.
    pub code: Code,
    /// The cause, for people.
    pub message: String,
    /// The cure, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The names that may have been meant, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// The name asked for, where a name was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What each fault is, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Which edit does not fit, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// What the note holds now, where it is not what the writer had seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// The scope that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// How many seconds to wait before asking again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// The bare cause, where `message` wraps it in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a note holds now, for a writer who had seen something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The hash that the writer named.
    pub seen: String,
    /// The hash of the content now; `null` when the note is gone.
    pub current: Option<String>,
    /// The content now, when it is text and not too long to tell.
    pub text: Option<String>,
}

/// A fault on its way out; becomes the envelope with its status code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError(Box<ErrorDetail>);

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(ErrorDetail {
            code,
            message: message.into(),
            hint: None,
            candidates: Vec::new(),
            reference: None,
            faults: Vec::new(),
            index: None,
            conflict: None,
            scope: None,
            retry_after_s: None,
            reason: None,
        }))
    }

    /// Says that this daemon was started without the part that would answer.
    pub(crate) fn not_offered(what: &str) -> Self {
        Self::new(Code::NotOffered, format!("this daemon has no {what}"))
            .hint("GET /api/v1/services says what it has")
    }

    /// Adds the cure.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the name asked for and the names that may have been meant.
    pub(crate) fn named(mut self, reference: impl Into<String>, candidates: Vec<String>) -> Self {
        self.0.reference = Some(reference.into());
        self.0.candidates = candidates;
        self
    }

    fn conflict(mut self, conflict: Conflict) -> Self {
        self.0.conflict = Some(conflict);
        self
    }

    const fn index(mut self, index: usize) -> Self {
        self.0.index = Some(index);
        self
    }

    fn faults(mut self, faults: Vec<String>) -> Self {
        self.0.faults = faults;
        self
    }

    /// Adds the scope that is missing.
    pub(crate) const fn scope(mut self, scope: Scope) -> Self {
        self.0.scope = Some(scope);
        self
    }

    /// Adds how long to wait, in whole seconds.
    fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after_s = wait.map(|wait| wait.as_secs_f64().ceil() as u64);
        self
    }

    /// Adds the bare cause.
    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    pub(crate) const fn detail(&self) -> &ErrorDetail {
        &self.0
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// Returns the headers that go with the fault: when to come back, or how to say who one is
    /// (RFC 6750, section 3).
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let seconds = self.0.code.retry_after_s().map(u64::from);
        if let Some(seconds) = self.0.retry_after_s.or(seconds) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let challenge = match self.0.code {
            Code::Unauthenticated => "Bearer realm=\"crucible\"".to_owned(),
            Code::TokenRefused => "Bearer realm=\"crucible\", error=\"invalid_token\"".to_owned(),
            Code::ScopeMissing => {
                let scope = self.0.scope.map_or("", Scope::name);
                format!(
                    "Bearer realm=\"crucible\", error=\"insufficient_scope\", scope=\"{scope}\""
                )
            }
            _ => return headers,
        };
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        headers
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.0.code;
        if code == Code::Internal {
            tracing::error!(error = %self.0.message, "request failed");
        }
        let headers = self.headers();
        let detail = (*self.0).clone();
        let body = Json(ErrorBody { error: *self.0 });
        let mut response = (code.status(), headers, body).into_response();
        // An interface with an envelope of its own finds here what it must say.
        response.extensions_mut().insert(detail);
        response
    }
}
