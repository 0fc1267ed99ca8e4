//! Tokens: what is asked for, what is kept, what is shown.

use std::collections::BTreeSet;

use crucible_services::access::{Principal, Scope};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, Secret};

/// How every token begins, so that people and scanners recognise one that leaked.
pub(super) const PREFIX: &str = "crb_";
/// How long a token is as text: the prefix and 32 bytes in base64url.
pub(super) const TEXT_BYTES: usize = PREFIX.len() + 43;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A token to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// A name for people and for the audit: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub name: String,
    /// What the bearer may do: `read`, `write`, `infer`, `control`.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Timestamp>,
}

impl NewToken {
    /// Asks for a token that does not expire.
    #[must_use]
    pub fn new(name: impl Into<String>, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self {
            name: name.into(),
            scopes: scopes.into_iter().collect(),
            expires_at: None,
        }
    }

    /// Says when it ends.
    #[must_use]
    pub const fn until(mut self, end: Timestamp) -> Self {
        self.expires_at = Some(end);
        self
    }

    pub(super) fn check(&self, now: Timestamp) -> Result<(), Error> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            let message = format!("a token's name has 1 to {NAME_BYTES_MAX} characters");
            return Err(Error::Invalid(message));
        }
        if !self.name.bytes().all(is_plain) {
            return Err(Error::Invalid(format!(
                "{:?} cannot be a token's name; use letters, digits, dots, hyphens and underscores",
                self.name
            )));
        }
        if self.scopes.is_empty() {
            let message = "a token needs a scope: read, write, infer or control";
            return Err(Error::Invalid(message.to_owned()));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            let message = "the token would have expired already; give a time in the future";
            return Err(Error::Invalid(message.to_owned()));
        }
        Ok(())
    }
}

/// A token that was just made. Its secret is shown this once.
#[derive(Clone, Debug)]
pub struct TokenMade {
    /// What is kept of it.
    pub info: TokenInfo,
    /// What its bearer sends: `Authorization: Bearer crb_..`.
    pub secret: Secret,
}

/// What is known of a token; also what is kept, under its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// What its bearer may do.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When it was last used, to the hour; `None` when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub used_at: Option<Timestamp>,
    /// When it ends; `None` when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Timestamp>,
}

impl TokenInfo {
    pub(super) fn principal(&self) -> Principal {
        Principal::new(self.name.clone(), self.scopes.iter().copied())
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Says whether a text could be a token at all; everything else needs no look at the state.
pub(super) fn is_well_formed(text: &str) -> bool {
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    text.len() == TEXT_BYTES && text.starts_with(PREFIX) && text.bytes().all(is_base64url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_scopes_and_ends_are_checked() {
        let now = Timestamp::UNIX_EPOCH;
        let check = |token: NewToken| token.check(now).is_ok();
        assert!(check(NewToken::new("laptop-2.cli_x", [Scope::Read])));
        for name in ["", "a b", "a/b", "é", "a\n", &"x".repeat(65)] {
            assert!(!check(NewToken::new(name, [Scope::Read])), "{name:?}");
        }
        assert!(!check(NewToken::new("none", [])));
        assert!(!check(NewToken::new("past", [Scope::Read]).until(now)));
    }

    #[test]
    fn only_what_could_be_a_token_is_looked_up() {
        let token = Secret::random::<32>(PREFIX).unwrap();
        assert!(is_well_formed(token.reveal()));
        let long = format!("{}x", token.reveal());
        for text in [
            "",
            "crb_",
            "Bearer",
            &long,
            &token.reveal().replace('_', " "),
        ] {
            assert!(!is_well_formed(text), "{text:?}");
        }
    }
}
