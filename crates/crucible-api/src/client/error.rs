//! What a client can be told instead of an answer.

use crucible_services::{data_store, note_writer, script};

use crate::error::{Code, ErrorDetail};

/// Why there is no answer. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers, or not in time.
    #[error("{reason}")]
    Unreachable {
        /// The cause and the cure.
        reason: String,
    },
    /// The daemon answered with a fault.
    #[error("{}", with_hint(.0))]
    Told(Box<ErrorDetail>),
    /// The request cannot be sent at all.
    #[error("{reason}")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// The answer is not what a daemon of this version answers.
    #[error("{reason}")]
    NotUnderstood {
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Returns the code of the fault that the daemon answered with.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Told(detail) => Some(detail.code),
            _ => None,
        }
    }
}

impl From<Error> for data_store::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Told(detail) => detail.into_store_error(),
            Error::Unreachable { reason } => Self::Unavailable { reason },
            Error::NotSent { reason } => Self::InvalidQuery { message: reason },
            Error::NotUnderstood { reason } => Self::Internal { message: reason },
        }
    }
}

impl From<Error> for note_writer::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Told(detail) => detail.into_writer_error(),
            other => Self::Internal {
                message: other.to_string(),
            },
        }
    }
}

impl From<Error> for script::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Told(detail) => detail.into_script_error(),
            Error::Unreachable { reason } => Self::Unavailable(reason),
            other => Self::Failed(other.to_string()),
        }
    }
}

fn with_hint(detail: &ErrorDetail) -> String {
    detail.hint.as_ref().map_or_else(
        || detail.message.clone(),
        |hint| format!("{}; {hint}", detail.message),
    )
}
