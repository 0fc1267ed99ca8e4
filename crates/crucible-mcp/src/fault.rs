//! Why a tool could not do its work, in words that let a model mend the call.
//!
//! A fault is an answer (`isError`), not a protocol error: the model reads it and tries again.
//! Its message may quote arguments; what is told about it as an event or a log line does not,
//! see [`FaultKind::told`].

use crucible_services::{data_store, note_writer};

use crate::budget::shorten;

/// How many candidates a message lists.
const CANDIDATES_MAX: usize = 10;
/// How many characters of a name a message quotes.
const NAME_CHARS_MAX: usize = 200;

/// Why a tool could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The cause and the cure, for the model that called.
    pub(crate) message: String,
}

/// The sorts of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The arguments do not fit the tool's schema or each other.
    InvalidArguments,
    /// Nothing has the name that was asked for.
    NotFound,
    /// Several things have the name that was asked for.
    Ambiguous,
    /// The note has changed since the cursor was given.
    Changed,
    /// The store cannot answer now.
    Unavailable,
    /// The call took too long.
    Deadline,
    /// Too many calls are in flight.
    Busy,
    /// The gateway is stopping or stopped.
    Stopping,
    /// The note has other content than the writer has seen.
    Conflict,
    /// Something is there already, or cannot be there.
    Refused,
    /// Notes cannot be changed.
    ReadOnly,
    /// A tool of another part of the daemon failed.
    Provider,
    /// Something broke.
    Internal,
}

impl FaultKind {
    /// Says what happened in fixed words that contain nothing of the call.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::InvalidArguments => "the arguments are not valid",
            Self::NotFound => "nothing has the name asked for",
            Self::Ambiguous => "several things have the name asked for",
            Self::Changed => "the note has changed since the cursor was given",
            Self::Unavailable => "the data store is unavailable",
            Self::Deadline => "the call took too long",
            Self::Busy => "too many calls are in flight",
            Self::Stopping => "the gateway is stopping",
            Self::Conflict => "the note has changed since it was read",
            Self::Refused => "the change does not fit",
            Self::ReadOnly => "notes cannot be changed",
            Self::Provider => "the tool failed",
            Self::Internal => "the tool or the data store failed",
        }
    }
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(FaultKind::InvalidArguments, message)
    }
}

impl From<data_store::Error> for Fault {
    fn from(error: data_store::Error) -> Self {
        use data_store::Error;
        match error {
            Error::NotFound {
                reference,
                candidates,
            } => not_found(&reference, &candidates),
            Error::Ambiguous {
                reference,
                candidates,
            } => Self::new(
                FaultKind::Ambiguous,
                format!(
                    "Several notes are called {:?}. Call again with one of these paths as `ref`:{}",
                    shorten(&reference, NAME_CHARS_MAX),
                    bullets(&candidates)
                ),
            ),
            Error::InvalidQuery { message } => {
                Self::invalid(format!("{}.", message.trim_end_matches('.')))
            }
            Error::Unavailable { reason } => Self::new(
                FaultKind::Unavailable,
                format!(
                    "The vault cannot be searched or read just now: {}. Wait a few seconds and \
                     call again; if it goes on, ask the person to check that Crucible is running.",
                    reason.trim_end_matches('.')
                ),
            ),
            other => Self::new(
                FaultKind::Internal,
                format!(
                    "{}. Calling again may help; if it goes on, tell the person, who finds more \
                     in Crucible's log.",
                    capitalised(other.to_string().trim_end_matches('.'))
                ),
            ),
        }
    }
}

/// How much of a note's text a conflict shows, in characters.
const CONFLICT_CHARS_MAX: usize = 4_000;

impl From<note_writer::Error> for Fault {
    fn from(error: note_writer::Error) -> Self {
        use note_writer::Error;
        let shown = capitalised(error.to_string().trim_end_matches('.'));
        match error {
            Error::Conflict {
                path,
                seen,
                current,
                text,
            } => conflict(&path, &seen, current.as_deref(), text.as_deref()),
            Error::NotFound { path } => not_found(&path, &[]),
            Error::Exists { .. } => Self::new(
                FaultKind::Refused,
                format!(
                    "{shown}. Nothing was written. Read that note and change it with edit_note, or \
                     choose another path."
                ),
            ),
            Error::InvalidPath { .. } => {
                Self::new(FaultKind::Refused, format!("{shown}. Nothing was written."))
            }
            Error::EditRefused { .. } => Self::new(
                FaultKind::Refused,
                format!(
                    "{shown}. Nothing was written; mend that edit and call again with all of them."
                ),
            ),
            Error::ReadOnly { .. } => Self::new(
                FaultKind::ReadOnly,
                format!("{shown}. Tell the person what you would have written."),
            ),
            _ => Self::new(FaultKind::Internal, format!("{shown}.")),
        }
    }
}

fn conflict(path: &str, seen: &str, current: Option<&str>, text: Option<&str>) -> Fault {
    let path = shorten(path, NAME_CHARS_MAX);
    let Some(current) = current else {
        return Fault::new(
            FaultKind::Conflict,
            format!(
                "Nothing was written: {path} is gone since you read it. Look for it with search_notes."
            ),
        );
    };
    let mut message = format!(
        "Nothing was written: {path} has changed since you read it.\nhash you named: {seen}\nhash \
         now: {current}\n"
    );
    match text {
        Some(text) if text.chars().count() <= CONFLICT_CHARS_MAX => message.push_str(&format!(
            "Look at its text below, and if your change still makes sense, call again with if_match \
             {current}.\n\n{text}"
        )),
        _ => message.push_str("Read it again with read_note and repeat your change with the new hash."),
    }
    Fault::new(FaultKind::Conflict, message)
}

fn not_found(reference: &str, candidates: &[String]) -> Fault {
    let name = shorten(reference, NAME_CHARS_MAX);
    let message = if candidates.is_empty() {
        format!(
            "No note is called {name:?}, and none has a similar name. Use search_notes to find \
             notes by their words, or list_notes to see which there are."
        )
    } else {
        format!(
            "No note is called {name:?}. Similar names:{}\nCall again with one of these paths, or \
             use search_notes.",
            bullets(candidates)
        )
    };
    Fault::new(FaultKind::NotFound, message)
}

/// Lists names under each other, at most [`CANDIDATES_MAX`].
pub(crate) fn bullets(names: &[String]) -> String {
    let mut text = String::new();
    for name in names.iter().take(CANDIDATES_MAX) {
        text.push_str("\n- ");
        text.push_str(name);
    }
    if names.len() > CANDIDATES_MAX {
        text.push_str(&format!("\n- and {} more", names.len() - CANDIDATES_MAX));
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_candidates_are_counted_and_not_all_listed() {
        let candidates = (0..30).map(|n| format!("{n}/Index.md")).collect();
        let fault = Fault::from(data_store::Error::Ambiguous {
            reference: "Index".to_owned(),
            candidates,
        });
        assert_eq!(fault.kind, FaultKind::Ambiguous);
        assert!(fault.message.contains("- 9/Index.md"), "{}", fault.message);
        assert!(!fault.message.contains("- 10/Index.md"));
        assert!(fault.message.ends_with("- and 20 more"));
    }

    #[test]
    fn what_is_told_never_quotes_the_call() {
        let fault = Fault::from(data_store::Error::NotFound {
            reference: "secret".to_owned(),
            candidates: Vec::new(),
        });
        assert!(fault.message.contains("secret"));
        assert!(!fault.kind.told().contains("secret"));
    }
}
