//! Makes the errors of services of the faults that a daemon answered, for the client.

use crucible_services::{data_store, note_writer};

use super::{Code, Conflict, ErrorDetail};

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
            Code::Unauthenticated
            | Code::TokenRefused
            | Code::ScopeMissing
            | Code::TooManyAttempts
            | Code::HostRefused
            | Code::OriginRefused => {
                let hint = self
                    .hint
                    .map_or_else(String::new, |hint| format!("; {hint}"));
                let reason = format!("{reason}{hint}");
                data_store::Error::Unavailable { reason }
            }
            _ => data_store::Error::Internal { message: reason },
        }
    }

    /// Returns the error that the writer gave, or the nearest one for faults of the API itself.
    #[must_use]
    pub fn into_writer_error(self) -> note_writer::Error {
        let path = self.reference.unwrap_or_default();
        let reason = self.reason.unwrap_or_else(|| self.message.clone());
        match (self.code, self.conflict) {
            (Code::NotFound, _) => note_writer::Error::NotFound { path },
            (Code::Exists, _) => note_writer::Error::Exists { path },
            (Code::InvalidPath, _) => note_writer::Error::InvalidPath { path, reason },
            (
                Code::Conflict,
                Some(Conflict {
                    seen,
                    current,
                    text,
                }),
            ) => note_writer::Error::Conflict {
                path,
                seen,
                current,
                text,
            },
            (Code::EditRefused, _) => note_writer::Error::EditRefused {
                index: self.index.unwrap_or(1),
                reason,
            },
            (Code::NothingToUndo, _) => note_writer::Error::NothingToUndo { reason },
            (Code::ReadOnly | Code::NotOffered, _) => note_writer::Error::ReadOnly { reason },
            _ => {
                let message = match self.hint {
                    Some(hint) => format!("{}; {hint}", self.message),
                    None => self.message,
                };
                note_writer::Error::Internal { message }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ApiError, ErrorBody};
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

    fn check_writer(error: &note_writer::Error, status: u16) {
        let api = ApiError::from(error.clone());
        assert_eq!(api.status().as_u16(), status, "{error}");
        let body = ErrorBody {
            error: api.detail().clone(),
        };
        let json = serde_json::to_string(&body).unwrap();
        let back: ErrorBody = serde_json::from_str(&json).unwrap();
        assert_eq!(back.error.into_writer_error(), *error);
    }

    #[test]
    fn writer_errors_survive_the_envelope() {
        use note_writer::Error;
        let path = "a/é.md".to_owned();
        let reason = "it is \"a\"\nfolder".to_owned();
        check_writer(&Error::NotFound { path: path.clone() }, 404);
        check_writer(&Error::Exists { path: path.clone() }, 409);
        check_writer(
            &Error::InvalidPath {
                path: path.clone(),
                reason: reason.clone(),
            },
            400,
        );
        for (current, text) in [
            (Some("2".to_owned()), Some("now".to_owned())),
            (Some("2".to_owned()), None),
            (None, None),
        ] {
            check_writer(
                &Error::Conflict {
                    path: path.clone(),
                    seen: "1".to_owned(),
                    current,
                    text,
                },
                409,
            );
        }
        check_writer(
            &Error::EditRefused {
                index: 2,
                reason: reason.clone(),
            },
            422,
        );
        check_writer(
            &Error::NothingToUndo {
                reason: reason.clone(),
            },
            409,
        );
        check_writer(&Error::ReadOnly { reason }, 403);
        check_writer(&Error::Internal { message: path }, 500);
    }
}
