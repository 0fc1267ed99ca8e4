//! The JSON body of a request, refused with an error that says what is wrong with it.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Code};

/// A body that was sent as `application/json`.
///
/// A form of another site cannot send that type without asking first, which is refused.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refuse(&rejection)),
        }
    }
}

fn refuse(rejection: &JsonRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(Code::BodyTooLarge, "the body is too large");
    }
    let hint = match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            "send it with the header `Content-Type: application/json`"
        }
        _ => "GET /api/v1/openapi.json describes what each resource takes",
    };
    let message = format!("the body cannot be read: {}", rejection.body_text());
    ApiError::new(Code::InvalidBody, message).hint(hint)
}
