//! Makes faults of the errors of the Inference Engine.

use crucible_services::inference::Error;

use super::{ApiError, Code};

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::ModelMissing { model, hint } => Self::new(
                Code::ModelMissing,
                format!("model {model:?} is not available"),
            )
            .named(model, Vec::new())
            .hint(hint),
            Error::ModelBroken { model, reason } => Self::new(Code::ModelBroken, message)
                .named(model, Vec::new())
                .reason(reason),
            Error::InvalidRequest(reason) => Self::new(Code::InvalidBody, reason),
            Error::Busy { retry_after, .. } => {
                Self::new(Code::Busy, message).retry_after(retry_after)
            }
            Error::TimedOut { .. } => Self::new(Code::DeadlineExceeded, message),
            Error::Provider { reason, .. } => {
                Self::new(Code::ProviderFailed, message).reason(reason)
            }
            _ => Self::new(Code::Internal, message),
        }
    }
}
