//! Who asks, and what they may do.
//!
//! A [`Principal`] is made at the edge (a token over HTTP, the person who started a process on
//! standard input) and handed inwards with a request. Services compare scopes; how a token proves
//! who somebody is belongs to the edge.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that a principal may do. Scopes do not include each other.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Search, read notes and follow events.
    Read,
    /// Create, change, move and restore notes.
    Write,
    /// Compute embeddings and generate text, which can cost money.
    Infer,
    /// Start and stop services, change configuration, grant scripts, publish events, make tokens.
    Control,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Infer, Self::Control];

    /// Returns the name, as it is written in tokens and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Infer => "infer",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// The text names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope; there are read, write, infer and control")]
pub struct UnknownScope(pub String);

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// A name for people and for the audit: that of the token, or of the way in.
    pub name: String,
    /// What they may do.
    pub scopes: BTreeSet<Scope>,
}

impl Principal {
    /// Creates a principal that may do `scopes`.
    #[must_use]
    pub fn new(name: impl Into<String>, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self {
            name: name.into(),
            scopes: scopes.into_iter().collect(),
        }
    }

    /// Creates a principal that may do everything: the person whose notes these are.
    #[must_use]
    pub fn owner(name: impl Into<String>) -> Self {
        Self::new(name, Scope::ALL)
    }

    /// Returns whether the principal may do `scope`.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_is_read_back_from_its_name() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        assert!("root".parse::<Scope>().is_err());
    }

    #[test]
    fn a_principal_may_do_its_scopes_and_nothing_else() {
        let reader = Principal::new("reader", [Scope::Read]);
        assert!(reader.may(Scope::Read));
        assert!(!reader.may(Scope::Write));
        assert!(
            Scope::ALL
                .into_iter()
                .all(|scope| Principal::owner("me").may(scope))
        );
    }
}
