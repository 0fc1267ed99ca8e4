//! What a failed command tells the person and the calling script.

use std::fmt;

use crucible_services::data_store;

/// A command that failed: the cause, where there is one a cure, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    error: anyhow::Error,
    hint: Option<String>,
}

/// Stable exit codes; `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything that has no code of its own.
    Failed = 1,
    /// The words typed do not make sense together.
    Usage = 2,
    /// No note, or several, of the name given.
    NoSuchNote = 3,
    /// Another process writes the index of the vault.
    VaultInUse = 4,
    /// `doctor` found faults.
    FaultsFound = 5,
}

impl Failure {
    /// Wraps an error.
    pub(crate) fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Self {
            kind,
            error: error.into(),
            hint: None,
        }
    }

    /// Makes a failure of words alone.
    pub(crate) fn message(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, anyhow::anyhow!(message.into()))
    }

    /// Wraps what came of asking for a note by name: what is wrong then is the name.
    pub(crate) fn of_name(error: data_store::Error) -> Self {
        match error {
            data_store::Error::InvalidQuery { .. } => Self::new(Kind::NoSuchNote, error),
            other => other.into(),
        }
    }

    /// Adds what to do next.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the exit code.
    pub(crate) const fn code(&self) -> u8 {
        self.kind as u8
    }

    /// Says whether the reader of the output went away, which is no failure (`crucible .. | head`).
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut message = self.error.to_string();
        for cause in self.error.chain().skip(1) {
            let cause = cause.to_string();
            // Some messages name their cause themselves, in the middle of a sentence.
            if !message.contains(&cause) {
                message.push_str(": ");
                message.push_str(&cause);
            }
        }
        write!(f, "error: {message}")?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl From<data_store::Error> for Failure {
    fn from(error: data_store::Error) -> Self {
        use data_store::Error;
        let (kind, hint) = match &error {
            Error::NotFound {
                reference,
                candidates,
            } if candidates.is_empty() => (
                Kind::NoSuchNote,
                Some(format!(
                    "`crucible search {reference}` finds notes by what they say"
                )),
            ),
            Error::NotFound { .. } | Error::Ambiguous { .. } => (Kind::NoSuchNote, None),
            Error::InvalidQuery { .. } => (Kind::Usage, None),
            _ => (Kind::Failed, None),
        };
        let failure = Self::new(kind, error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Kind::Failed, error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        // The cause of writing JSON that fails is the output's.
        Self::from(std::io::Error::from(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_note_has_its_code_and_a_hint_only_when_no_name_is_near() {
        let reference = "rye".to_owned();
        let far = Failure::from(data_store::Error::NotFound {
            reference: reference.clone(),
            candidates: Vec::new(),
        });
        assert_eq!(far.code(), 3);
        assert!(
            far.to_string().contains("\nhint: `crucible search rye`"),
            "{far}"
        );
        let candidates = vec!["Rye.md".to_owned()];
        let near = Failure::from(data_store::Error::NotFound {
            reference,
            candidates,
        });
        assert_eq!(near.code(), 3);
        assert!(near.to_string().ends_with("did you mean Rye.md?"), "{near}");
    }

    #[test]
    fn question_that_cannot_be_read_is_wrong_usage() {
        let message = "a quote is not closed".to_owned();
        assert_eq!(
            Failure::from(data_store::Error::InvalidQuery { message }).code(),
            2
        );
    }

    #[test]
    fn causes_follow_their_error_on_one_line() {
        let cause = std::io::Error::other("disk on fire");
        let error = anyhow::Error::new(cause).context("the index cannot be opened");
        let failure = Failure::new(Kind::Failed, error);
        assert_eq!(
            failure.to_string(),
            "error: the index cannot be opened: disk on fire"
        );
        let named = failure
            .error
            .context("cannot open it (disk on fire); try later");
        let failure = Failure::new(Kind::Failed, named);
        assert_eq!(
            failure.to_string(),
            "error: cannot open it (disk on fire); try later: the index cannot be opened"
        );
        assert_eq!(failure.code(), 1);
    }

    #[test]
    fn closed_output_is_recognised_beneath_other_errors() {
        let closed = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(Failure::from(closed()).is_broken_pipe());
        let wrapped = Failure::from(serde_json::Error::io(closed()));
        assert!(wrapped.is_broken_pipe());
        assert!(!Failure::message(Kind::Failed, "other").is_broken_pipe());
    }
}
