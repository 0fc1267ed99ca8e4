//! Why one attempt at one provider came to nothing, and what follows from it.

use std::time::Duration;

use crucible_services::inference::Error;

use super::breaker::Verdict;

/// Why an attempt came to nothing. Reasons hold no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Its breaker is open.
    Resting {
        /// How long still.
        wait: Duration,
    },
    /// As many requests as are allowed are under way.
    Full {
        /// How many.
        requests_max: usize,
    },
    /// It cannot be asked as it is set up.
    Unusable(String),
    /// No connection came about.
    Unreachable(String),
    /// The connection broke before the answer was whole.
    Broken(String),
    /// Something took too long.
    TimedOut {
        /// What it was.
        what: &'static str,
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// It answered with a fault.
    Status {
        /// The status code.
        status: u16,
        /// What it says.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// It answered with something else than an answer.
    Unreadable(String),
}

impl Failure {
    /// Says whether the same request can succeed when it is sent again: nothing was answered yet,
    /// and what was in the way may pass.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }

    /// Says whether the request itself is at fault, so that no other provider need be asked.
    pub(crate) const fn is_of_request(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: 400 | 413 | 422,
                ..
            }
        )
    }

    /// Returns how long the provider asks to wait.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns what the attempt tells about the provider.
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Self::Resting { .. } | Self::Full { .. } | Self::Unusable(_) => Verdict::Unknown,
            Self::Status { status: 429, .. } => Verdict::Unknown,
            Self::Status {
                status: 408 | 500..=599,
                ..
            } => Verdict::Failed,
            Self::Status { .. } => Verdict::Answered,
            Self::Unreachable(_)
            | Self::Broken(_)
            | Self::TimedOut { .. }
            | Self::Unreadable(_) => Verdict::Failed,
        }
    }

    /// Returns what happened, in words that read after "provider x: ".
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Resting { wait } => format!(
                "failed too often and is left alone for another {:.1} s",
                wait.as_secs_f32()
            ),
            Self::Full { requests_max } => format!("{requests_max} requests are under way already"),
            Self::Unusable(reason) => reason.clone(),
            Self::Unreachable(reason) => format!("cannot be reached: {reason}"),
            Self::Broken(reason) => format!("the connection broke: {reason}"),
            Self::TimedOut { what, limit } => {
                format!("{what} within {} s", limit.as_secs_f32())
            }
            Self::Status {
                status, message, ..
            } => match status {
                401 | 403 => {
                    format!("refuses the key ({status}): {message}; see api_key_env, api_key_file")
                }
                300..=399 => format!(
                    "redirects elsewhere ({status}), which is not followed; correct base_url"
                ),
                _ => format!("answered {status}: {message}"),
            },
            Self::Unreadable(reason) => format!("answered with {reason}"),
        }
    }

    /// Returns what the caller is told about `provider`, asked for `model`.
    pub(crate) fn into_error(self, provider: &str, model: &str) -> Error {
        let reason = self.reason();
        match self {
            Self::Resting { wait } => Error::Busy {
                reason: format!("provider {provider:?}: {reason}"),
                retry_after: Some(wait),
            },
            Self::Full { .. } => Error::Busy {
                reason: format!("provider {provider:?}: {reason}"),
                retry_after: None,
            },
            Self::Status {
                status: 429,
                retry_after,
                ..
            } => Error::Busy {
                reason: format!("provider {provider:?}: {reason}"),
                retry_after,
            },
            Self::Status {
                status: 404,
                message,
                ..
            } => Error::ModelMissing {
                model: model.to_owned(),
                hint: format!("provider {provider:?} answers: {message}"),
            },
            Self::Status {
                status: 400 | 413 | 422,
                message,
                ..
            } => Error::InvalidRequest(format!("provider {provider:?} answers: {message}")),
            Self::TimedOut { limit, .. } => Error::TimedOut { deadline: limit },
            _ => Error::Provider {
                provider: provider.to_owned(),
                reason,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Failure {
        Failure::Status {
            status,
            message: "no".to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for code in [408, 429, 500, 502, 503, 529] {
            assert!(status(code).is_passing(), "{code}");
        }
        for code in [301, 400, 401, 404, 413, 422] {
            assert!(!status(code).is_passing(), "{code}");
        }
        assert!(Failure::Unreachable(String::new()).is_passing());
        assert!(!Failure::Broken(String::new()).is_passing());
        assert!(!Failure::Unreadable(String::new()).is_passing());
    }

    #[test]
    fn refusals_speak_for_a_provider_and_silence_against_it() {
        assert_eq!(status(401).verdict(), Verdict::Answered);
        assert_eq!(status(429).verdict(), Verdict::Unknown);
        assert_eq!(status(500).verdict(), Verdict::Failed);
        let late = Failure::TimedOut {
            what: "nothing came",
            limit: Duration::from_secs(1),
        };
        assert_eq!(late.verdict(), Verdict::Failed);
    }

    #[test]
    fn status_codes_become_the_errors_that_callers_know() {
        let error = |code| status(code).into_error("p", "m");
        assert!(matches!(error(404), Error::ModelMissing { .. }));
        assert!(matches!(error(400), Error::InvalidRequest(_)));
        assert!(matches!(error(429), Error::Busy { .. }));
        assert!(matches!(error(401), Error::Provider { .. }));
        assert!(matches!(error(500), Error::Provider { .. }));
    }
}
