//! Random secrets: made, written as text, hashed, and never printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Error;

/// A text that lets its bearer in. [`fmt::Debug`] does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a secret of `BYTES` random bytes of the operating system, after `prefix`.
    pub(super) fn random<const BYTES: usize>(prefix: &str) -> Result<Self, Error> {
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::Failed(format!("the system gives no random bytes: {error}")))?;
        let mut text = prefix.to_owned();
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        Ok(Self(text))
    }

    /// Wraps a secret that was made before.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, to be sent or written where only its owner reads it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Hashes a secret for keeping. Hashes compare in constant time.
pub(super) fn hash(text: &str) -> blake3::Hash {
    blake3::hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_not_shown() {
        let one = Secret::random::<32>("crb_").unwrap();
        let other = Secret::random::<32>("crb_").unwrap();
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 4 + 43);
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
