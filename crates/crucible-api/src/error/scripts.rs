//! Errors of the Script Engine on their way out, and back again for the client.

use crucible_services::script::Error;

use super::{ApiError, Code, ErrorDetail};

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound(name) => Self::new(Code::NoSuchScript, message).named(name, Vec::new()),
            Error::Compile { .. } | Error::Manifest(_) => Self::new(Code::ScriptRefused, message)
                .hint("the version in force, if there is one, stays"),
            Error::Refused(_) => Self::new(Code::Refused, message),
            Error::Unavailable(reason) => Self::new(Code::Unavailable, message).reason(reason),
            _ => Self::new(Code::ScriptFailed, message),
        }
    }
}

impl ErrorDetail {
    /// Returns the error that the Script Engine gave, or the nearest one: what matters to a person
    /// stands in the message.
    #[must_use]
    pub fn into_script_error(self) -> Error {
        let message = match self.hint {
            Some(hint) if self.code != Code::ScriptRefused => format!("{}; {hint}", self.message),
            _ => self.message,
        };
        match self.code {
            Code::NoSuchScript => Error::NotFound(self.reference.unwrap_or_default()),
            Code::Refused => Error::Refused(message),
            Code::Unavailable | Code::DeadlineExceeded | Code::Overloaded | Code::NotOffered => {
                Error::Unavailable(self.reason.unwrap_or(message))
            }
            _ => Error::Failed(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &Error, status: u16, back: &Error) {
        let api = ApiError::from(error.clone());
        assert_eq!(api.status().as_u16(), status, "{error}");
        assert_eq!(api.detail().clone().into_script_error(), *back);
    }

    #[test]
    fn script_errors_keep_their_words_on_the_way() {
        let words = |text: &str| text.to_owned();
        for (error, status) in [
            (Error::NotFound(words("digest")), 404),
            (Error::Refused(words("the manifest has changed")), 409),
            (Error::Unavailable(words("switched off")), 503),
            (Error::Failed(words("main.rn:3: boom")), 500),
        ] {
            check(&error, status, &error);
        }
        let compile = Error::Compile {
            file: words("main.rn"),
            line: 3,
            message: words("expected an expression"),
        };
        check(&compile, 422, &Error::Failed(compile.to_string()));
        let stopped = Error::Stopped {
            limit: words("time"),
        };
        check(&stopped, 500, &Error::Failed(stopped.to_string()));
    }
}
