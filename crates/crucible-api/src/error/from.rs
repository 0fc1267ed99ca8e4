//! Makes faults of the errors that services give: the message, the code, and what a program needs.

use crucible_services::router::RouteError;
use crucible_services::{configuration, data_store, note_writer};

use super::{ApiError, Code, Conflict};
use crate::auth;

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

impl From<note_writer::Error> for ApiError {
    fn from(error: note_writer::Error) -> Self {
        use note_writer::Error as Writer;
        let message = error.to_string();
        match error {
            Writer::NotFound { path } => Self::new(Code::NotFound, message)
                .named(path, Vec::new())
                .hint("GET /api/v1/notes lists the notes that there are"),
            Writer::Exists { path } => Self::new(Code::Exists, message)
                .named(path, Vec::new())
                .hint("choose another path, or edit the note that is there"),
            Writer::InvalidPath { path, reason } => Self::new(Code::InvalidPath, message)
                .named(path, Vec::new())
                .reason(reason),
            Writer::Conflict {
                path,
                seen,
                current,
                text,
            } => Self::new(Code::Conflict, message)
                .named(path, Vec::new())
                .conflict(Conflict {
                    seen,
                    current,
                    text,
                })
                .hint("make the change in the text of now, and name its hash as seen"),
            Writer::EditRefused { index, reason } => Self::new(Code::EditRefused, message)
                .reason(reason)
                .index(index),
            Writer::NothingToUndo { reason } => {
                Self::new(Code::NothingToUndo, message).reason(reason)
            }
            Writer::ReadOnly { reason } => Self::new(Code::ReadOnly, message).reason(reason),
            Writer::Internal { message } => Self::new(Code::Internal, message),
            _ => Self::new(Code::Internal, message),
        }
    }
}

impl From<configuration::Error> for ApiError {
    fn from(error: configuration::Error) -> Self {
        use configuration::Error as Settings;
        let message = error.to_string();
        match error {
            Settings::Invalid { faults } => Self::new(Code::InvalidSettings, message)
                .faults(faults)
                .hint("GET /api/v1/config shows every setting"),
            Settings::Refused { service, reason } => Self::new(Code::Refused, message)
                .named(service, Vec::new())
                .reason(reason),
            _ => Self::new(Code::Internal, message),
        }
    }
}

impl From<auth::Error> for ApiError {
    fn from(error: auth::Error) -> Self {
        use auth::Error as Auth;
        let message = error.to_string();
        match error {
            Auth::Exists { name } => Self::new(Code::Exists, message).named(name, Vec::new()),
            Auth::NotFound { name, near } => {
                Self::new(Code::NoSuchToken, message).named(name, near)
            }
            Auth::Invalid(_) => Self::new(Code::InvalidBody, message),
            Auth::TooMany { .. } | Auth::Open => Self::new(Code::Refused, message),
            Auth::Failed(_) => Self::new(Code::Internal, message),
        }
    }
}

impl From<RouteError> for ApiError {
    fn from(error: RouteError) -> Self {
        let message = error.to_string();
        match error {
            RouteError::Closed => Self::new(Code::Unavailable, message),
            _ => Self::new(Code::InvalidBody, message),
        }
    }
}
