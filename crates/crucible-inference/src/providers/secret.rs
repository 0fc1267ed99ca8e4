//! Keys: where they are read from, and a type that never shows them.
//!
//! A configuration names a variable or a file, never the key itself. This crate reads no
//! environment: whoever composes the program hands in a [`Secrets`] that does.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The most bytes of a file that holds a key.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A key. Shows itself to nobody but [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes over a key, without the space around it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Returns the key, to be sent and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns `text` without the key, should it be in there.
    #[must_use]
    pub fn strike_from(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "(key)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Reads a variable of the environment; `None` when it is not set.
type ReadVariable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Reads keys from where a configuration says they are. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    variable: Arc<ReadVariable>,
}

impl Secrets {
    /// Creates a reader that asks `variable` for variables of the environment.
    pub fn new(variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            variable: Arc::new(variable),
        }
    }

    /// Creates a reader to which no variable is set.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| None)
    }

    /// Reads a key anew, so that one that was replaced holds at once; `None` when none is needed.
    ///
    /// # Errors
    /// What is missing, and the cure.
    pub(crate) async fn read(&self, place: &KeyPlace) -> Result<Option<Secret>, String> {
        let (text, named) = match place {
            KeyPlace::None => return Ok(None),
            KeyPlace::Variable(name) => {
                let text = (self.variable)(name).ok_or_else(|| {
                    format!("the variable {name} is not set; set it to the provider's key")
                })?;
                (text, format!("the variable {name}"))
            }
            KeyPlace::File(path) => {
                let named = format!("the file {}", path.display());
                let text = read_file(path)
                    .await
                    .map_err(|error| format!("{named} that holds the key: {error}"))?;
                (text, named)
            }
        };
        let secret = Secret::new(&text);
        if secret.0.is_empty() {
            return Err(format!("{named} holds no key"));
        }
        if !secret.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "{named} holds something that is not a key: a key is one word of ASCII"
            ));
        }
        Ok(Some(secret))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// Where a provider's key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// The provider needs none.
    None,
    /// In a variable of the environment.
    Variable(String),
    /// In a file.
    File(PathBuf),
}

async fn read_file(path: &std::path::Path) -> std::io::Result<String> {
    use tokio::io::AsyncReadExt as _;
    let file = tokio::fs::File::open(path).await?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).await?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(|name| match name {
            "GOOD" => Some(" sk-123\n".to_owned()),
            "BLANK" => Some("  ".to_owned()),
            "TORN" => Some("sk-1\nsk-2".to_owned()),
            _ => None,
        })
    }

    async fn read(name: &str) -> Result<Option<Secret>, String> {
        secrets().read(&KeyPlace::Variable(name.to_owned())).await
    }

    #[tokio::test]
    async fn key_is_read_from_the_variable_without_the_space_around_it() {
        assert_eq!(read("GOOD").await, Ok(Some(Secret::new("sk-123"))));
        assert_eq!(secrets().read(&KeyPlace::None).await, Ok(None));
    }

    #[tokio::test]
    async fn faults_name_the_variable_and_not_what_it_holds() {
        for name in ["ABSENT", "BLANK", "TORN"] {
            let fault = read(name).await.unwrap_err();
            assert!(fault.contains(name) && !fault.contains("sk-"), "{fault}");
        }
    }

    #[tokio::test]
    async fn key_is_read_from_a_file_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let place = KeyPlace::File(path.clone());
        let fault = secrets().read(&place).await.unwrap_err();
        assert!(fault.contains("key"), "{fault}");
        for key in ["first", "second"] {
            std::fs::write(&path, format!("{key}\n")).unwrap();
            assert_eq!(secrets().read(&place).await, Ok(Some(Secret::new(key))));
        }
    }

    #[test]
    fn secret_shows_nothing_and_strikes_itself_out() {
        let secret = Secret::new("sk-123");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(secret.strike_from("bad key sk-123."), "bad key (key).");
    }
}
