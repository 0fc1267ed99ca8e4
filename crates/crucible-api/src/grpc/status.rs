//! Faults in gRPC's words: the code, and the cause and the cure as one message.
//!
//! Whoever refuses a call, a layer or the method itself, the caller reads a status. The fault's own
//! code, which is finer, goes along as the metadata `crucible-code`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code as Rpc, Status};

use super::is_grpc;
use crate::error::{ApiError, Code, ErrorDetail};

/// The metadata that holds the fault's own code.
const CODE: &str = "crucible-code";

/// Turns the answers of layers that refuse a call into a status.
pub(crate) async fn envelope(request: Request, next: Next) -> Response {
    let is_call = is_grpc(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<ErrorDetail>() {
        Some(detail) if is_call => status(detail).into_http::<Body>(),
        _ => response,
    }
}

/// Says RESOURCE_EXHAUSTED of a message that is too large, as gRPC's own servers do; the library
/// says OUT_OF_RANGE, which nothing here means otherwise.
pub(super) fn with_own_codes<B>(mut response: axum::http::Response<B>) -> axum::http::Response<B> {
    if let Some(code) = response.headers_mut().get_mut("grpc-status")
        && code.as_bytes() == (Rpc::OutOfRange as i32).to_string().as_bytes()
    {
        *code = HeaderValue::from(Rpc::ResourceExhausted as i32);
    }
    response
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        if error.detail().code == Code::Internal {
            tracing::error!(error = %error.detail().message, "call failed");
        }
        status(error.detail())
    }
}

fn status(detail: &ErrorDetail) -> Status {
    let message = match &detail.hint {
        Some(hint) => format!("{}: {hint}", detail.message),
        None => detail.message.clone(),
    };
    let mut metadata = MetadataMap::new();
    let name = serde_json::to_value(detail.code).ok();
    let name = name.as_ref().and_then(|name| name.as_str());
    if let Some(Ok(name)) = name.map(MetadataValue::try_from) {
        metadata.insert(CODE, name);
    }
    Status::with_metadata(rpc(detail.code), message, metadata)
}

/// Returns gRPC's code; chosen here and nowhere else.
const fn rpc(code: Code) -> Rpc {
    match code {
        Code::InvalidQuery
        | Code::InvalidBody
        | Code::InvalidPath
        | Code::EditRefused
        | Code::InvalidSettings
        | Code::ScriptRefused => Rpc::InvalidArgument,
        Code::Unauthenticated | Code::TokenRefused => Rpc::Unauthenticated,
        Code::HostRefused | Code::OriginRefused | Code::ScopeMissing | Code::FormRefused => {
            Rpc::PermissionDenied
        }
        Code::TooManyAttempts | Code::Busy | Code::Overloaded | Code::BodyTooLarge => {
            Rpc::ResourceExhausted
        }
        Code::NotFound
        | Code::NoSuchScript
        | Code::NoSuchService
        | Code::NoSuchToken
        | Code::ModelMissing => Rpc::NotFound,
        Code::NoSuchRoute | Code::MethodNotAllowed | Code::NotOffered => Rpc::Unimplemented,
        Code::Ambiguous | Code::Refused | Code::NothingToUndo | Code::ReadOnly => {
            Rpc::FailedPrecondition
        }
        Code::Exists => Rpc::AlreadyExists,
        Code::Conflict => Rpc::Aborted,
        Code::Unavailable | Code::ProviderFailed => Rpc::Unavailable,
        Code::DeadlineExceeded => Rpc::DeadlineExceeded,
        Code::Internal | Code::ServiceFailed | Code::ScriptFailed | Code::ModelBroken => {
            Rpc::Internal
        }
    }
}

/// Returns how every stream ends that its reader did not close.
pub(super) fn closed<T>() -> impl futures_util::Stream<Item = Result<T, Status>> + use<T> {
    futures_util::stream::once(std::future::ready(Err(Status::unavailable(
        "the daemon ends: call again when it is back",
    ))))
}
