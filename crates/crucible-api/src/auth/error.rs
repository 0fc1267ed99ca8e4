//! What can go wrong with tokens and links.

use crucible_services::state_store;

/// Why a token or link was not made, listed or revoked. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A token of that name exists.
    #[error("a token named {name:?} exists already; revoke it first, or choose another name")]
    Exists {
        /// The name.
        name: String,
    },
    /// No token has that name.
    #[error("there is no token named {name:?}{}", near_names(near))]
    NotFound {
        /// The name.
        name: String,
        /// The names that there are, at most a few.
        near: Vec<String>,
    },
    /// What was asked for cannot be a token.
    #[error("{0}")]
    Invalid(String),
    /// There are as many tokens as can be kept.
    #[error("there are {max} tokens already; revoke some first")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// Nobody has to prove who they are here, so there are no tokens.
    #[error(
        "authentication is switched off here, so there are no tokens or links; start the daemon \
         without that option first"
    )]
    Open,
    /// The state cannot be read or written, or the system refused.
    #[error("{0}")]
    Failed(String),
}

impl From<state_store::Error> for Error {
    fn from(error: state_store::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

fn near_names(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; there are {}", near.join(", "))
    }
}
