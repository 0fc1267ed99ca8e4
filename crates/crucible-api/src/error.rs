//! Every fault the API can answer with: one envelope, and the one place that chooses status codes.
//!
//! ```json
//! {"error": {"code": "not_found", "message": "no note is called \"Hom\"; did you mean Home.md?",
//!            "candidates": ["Home.md"], "reference": "Hom"}}
//! ```
//!
//! `code` is stable and meant for programs, `message` for people. [`ErrorDetail`] is what the
//! client reads back; [`ErrorDetail::into_store_error`] undoes `ApiError::from`.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crucible_services::access::Scope;
use crucible_services::data_store;
use serde::{Deserialize, Serialize};

/// What went wrong, for programs. Names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
            Self::InvalidQuery => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::TokenRefused => StatusCode::UNAUTHORIZED,
            Self::HostRefused | Self::OriginRefused | Self::ScopeMissing | Self::FormRefused => {
                StatusCode::FORBIDDEN
            }
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound | Self::NoSuchRoute | Self::NoSuchService => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Ambiguous | Self::Refused => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Internal | Self::ServiceFailed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::DeadlineExceeded | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Returns how many seconds to wait before asking again, where waiting helps.
    const fn retry_after_s(self) -> Option<u16> {
        match self {
            Self::Unavailable | Self::Overloaded => Some(1),
            Self::DeadlineExceeded | Self::TooManyAttempts => Some(5),
            _ => None,
        }
    }
}

/// The body of every answer that is a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The scope that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The bare cause, where `message` wraps it in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl ErrorDetail {
    /// Returns the error that the store gave, or the nearest one for faults of the API itself.
    #[must_use]
    pub fn into_store_error(self) -> data_store::Error {
        let reason = self.reason.unwrap_or_else(|| self.message.clone());
        match self.code {
            Code::NotFound => data_store::Error::NotFound {
                reference: self.reference.unwrap_or_default(),
                candidates: self.candidates,
            },
            Code::Ambiguous => data_store::Error::Ambiguous {
                reference: self.reference.unwrap_or_default(),
                candidates: self.candidates,
            },
            Code::InvalidQuery => data_store::Error::InvalidQuery {
                message: self.message,
            },
            Code::Unavailable | Code::DeadlineExceeded | Code::Overloaded => {
                data_store::Error::Unavailable { reason }
            }
            _ => data_store::Error::Internal { message: reason },
        }
    }
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
            scope: None,
            reason: None,
        }))
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

    /// Adds the scope that is missing.
    pub(crate) const fn scope(mut self, scope: Scope) -> Self {
        self.0.scope = Some(scope);
        self
    }

    fn reason(mut self, reason: impl Into<String>) -> Self {
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
        if let Some(seconds) = self.0.code.retry_after_s() {
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
        (code.status(), headers, Json(ErrorBody { error: *self.0 })).into_response()
    }
}

impl From<data_store::Error> for ApiError {
    fn from(error: data_store::Error) -> Self {
        use data_store::Error as Store;
        let message = error.to_string();
        match error {
            Store::NotFound {
                reference,
                candidates,
            } => Self::new(Code::NotFound, message).named(reference, candidates),
            Store::Ambiguous {
                reference,
                candidates,
            } => Self::new(Code::Ambiguous, message)
                .named(reference, candidates)
                .hint("ask for one of the candidates by its path"),
            Store::InvalidQuery { message } => Self::new(Code::InvalidQuery, message),
            Store::Unavailable { reason } => Self::new(Code::Unavailable, message)
                .reason(reason)
                .hint("ask again in a moment; GET /api/v1/health says what is wrong"),
            Store::Internal { message: reason } => {
                Self::new(Code::Internal, message).reason(reason)
            }
            _ => Self::new(Code::Internal, message),
        }
    }
}

impl From<crucible_core::Error> for ApiError {
    fn from(error: crucible_core::Error) -> Self {
        use crucible_core::Error as Core;
        let message = error.to_string();
        match error {
            Core::NoSuchService { name, near } => {
                Self::new(Code::NoSuchService, message).named(name, near)
            }
            Core::HasDependants { dependants, .. } => Self::new(Code::Refused, message)
                .hint(format!("stop {} first", dependants.join(", "))),
            Core::WrongState { .. } | Core::Interrupted { .. } | Core::ConfigBusy => {
                Self::new(Code::Refused, message)
            }
            Core::Services { .. } => Self::new(Code::ServiceFailed, message)
                .hint("GET /api/v1/services says what each service is doing"),
            Core::Ended => Self::new(Code::Unavailable, message),
            _ => Self::new(Code::Internal, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &data_store::Error, status: u16) {
        let api = ApiError::from(error.clone());
        assert_eq!(api.status().as_u16(), status, "{error}");
        let json = serde_json::to_string(&ErrorBody {
            error: api.detail().clone(),
        })
        .unwrap();
        let back: ErrorBody = serde_json::from_str(&json).unwrap();
        assert_eq!(back.error.into_store_error(), *error);
    }

    #[test]
    fn store_errors_survive_the_envelope() {
        let candidates = vec!["a/Home.md".to_owned(), "b/Home.md".to_owned()];
        let reference = "Hôme \"x\"\n".to_owned();
        check(
            &data_store::Error::NotFound {
                reference: reference.clone(),
                candidates: Vec::new(),
            },
            404,
        );
        check(
            &data_store::Error::Ambiguous {
                reference,
                candidates,
            },
            409,
        );
        let message = "the phrase has no end".to_owned();
        check(
            &data_store::Error::InvalidQuery {
                message: message.clone(),
            },
            400,
        );
        check(
            &data_store::Error::Unavailable {
                reason: message.clone(),
            },
            503,
        );
        check(&data_store::Error::Internal { message }, 500);
    }
}
