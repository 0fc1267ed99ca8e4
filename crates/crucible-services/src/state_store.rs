//! State that is not derived from notes: tokens, grants, script values, the record of changes.
//!
//! It lives apart from the index, is never dropped, and is on disk when a write returns. It is a
//! map from `(namespace, key)` to bytes; whoever uses it owns a namespace and its format.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

/// Keeps small values for good. Object-safe.
///
/// A namespace is at most 64 bytes, a key 512 bytes, a value 1 MiB: more is refused as
/// [`Error::TooLarge`].
#[async_trait]
pub trait StateStore: Send + Sync + fmt::Debug {
    /// Returns the value of a key; `None` when there is none.
    ///
    /// # Errors
    /// When the state cannot be read.
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Applies all writes or none; on disk on return.
    ///
    /// # Errors
    /// [`Error::Changed`] when an expectation does not hold.
    async fn write(&self, namespace: &str, writes: Vec<StateWrite>) -> Result<(), Error>;

    /// Returns at most `limit` keys that begin with `prefix` and sort after `after`, in order,
    /// with their values.
    ///
    /// # Errors
    /// When the state cannot be read.
    async fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Returns how many bytes the keys and values of a namespace hold.
    ///
    /// # Errors
    /// When the state cannot be read.
    async fn size_bytes(&self, namespace: &str) -> Result<u64, Error>;
}

/// Longest namespace, in bytes.
pub const NAMESPACE_BYTES_MAX: usize = 64;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;

/// One write to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// The key.
    pub key: String,
    /// Its new value; `None` removes the key.
    pub value: Option<Vec<u8>>,
    /// What must be true before.
    pub expect: Expect,
}

impl StateWrite {
    /// Sets a key, whatever it held.
    #[must_use]
    pub fn put(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: key.into(),
            value: Some(value.into()),
            expect: Expect::Anything,
        }
    }

    /// Removes a key, if it is there.
    #[must_use]
    pub fn remove(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
            expect: Expect::Anything,
        }
    }

    /// Says what must be true before.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// What must be true of a key before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// The key is not there.
    Absent,
    /// The key holds exactly these bytes.
    Value(Vec<u8>),
}

/// Why state could not be read or written. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else wrote the key first.
    #[error("{key:?} was changed by somebody else")]
    Changed {
        /// The key.
        key: String,
    },
    /// A namespace, key or value is longer than allowed.
    #[error("the {what} is longer than {max_bytes} bytes")]
    TooLarge {
        /// `namespace`, `key` or `value`.
        what: &'static str,
        /// The bound.
        max_bytes: usize,
    },
    /// The state is damaged or the operating system refused.
    #[error("{0}")]
    Failed(String),
}

/// Refuses what is longer than the bounds of [`StateStore`].
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_sizes(namespace: &str, writes: &[StateWrite]) -> Result<(), Error> {
    let check = |what, len: usize, max_bytes| {
        if len > max_bytes {
            Err(Error::TooLarge { what, max_bytes })
        } else {
            Ok(())
        }
    };
    check("namespace", namespace.len(), NAMESPACE_BYTES_MAX)?;
    for write in writes {
        check("key", write.key.len(), KEY_BYTES_MAX)?;
        let value = write.value.as_ref().map_or(0, Vec::len);
        check("value", value, VALUE_BYTES_MAX)?;
    }
    Ok(())
}

/// The twin of a real store, in memory: for tests, and for processes that keep nothing.
#[derive(Debug, Default)]
pub struct MemoryState {
    values: Mutex<BTreeMap<(String, String), Vec<u8>>>,
}

impl MemoryState {
    fn values(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Vec<u8>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let at = (namespace.to_owned(), key.to_owned());
        Ok(self.values().get(&at).cloned())
    }

    async fn write(&self, namespace: &str, writes: Vec<StateWrite>) -> Result<(), Error> {
        check_sizes(namespace, &writes)?;
        let mut values = self.values();
        let mut next = values.clone();
        for write in writes {
            let at = (namespace.to_owned(), write.key);
            let holds = match &write.expect {
                Expect::Anything => true,
                Expect::Absent => !next.contains_key(&at),
                Expect::Value(value) => next.get(&at) == Some(value),
            };
            if !holds {
                return Err(Error::Changed { key: at.1 });
            }
            match write.value {
                Some(value) => next.insert(at, value),
                None => next.remove(&at),
            };
        }
        *values = next;
        Ok(())
    }

    async fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let values = self.values();
        Ok(values
            .iter()
            .filter(|((space, key), _)| space == namespace && key.starts_with(prefix))
            .filter(|((_, key), _)| after.is_none_or(|after| key.as_str() > after))
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn size_bytes(&self, namespace: &str) -> Result<u64, Error> {
        let values = self.values();
        let of_namespace = values.iter().filter(|((space, _), _)| space == namespace);
        Ok(of_namespace
            .map(|((_, key), value)| (key.len() + value.len()) as u64)
            .sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_expectation_writes_nothing() {
        let state = MemoryState::default();
        state
            .write("n", vec![StateWrite::put("a", "1")])
            .await
            .unwrap();
        let writes = vec![
            StateWrite::put("b", "2"),
            StateWrite::put("a", "3").expecting(Expect::Absent),
        ];
        assert_eq!(
            state.write("n", writes).await,
            Err(Error::Changed {
                key: "a".to_owned()
            })
        );
        assert_eq!(state.get("n", "b").await.unwrap(), None);
        assert_eq!(state.get("n", "a").await.unwrap(), Some(b"1".to_vec()));
    }

    #[tokio::test]
    async fn keys_are_listed_in_order_and_in_pages() {
        let state = MemoryState::default();
        let writes = ["k1", "k2", "k3", "other"].map(|key| StateWrite::put(key, "v"));
        state.write("n", writes.to_vec()).await.unwrap();
        let page = state.list("n", "k", Some("k1"), 1).await.unwrap();
        assert_eq!(page, [("k2".to_owned(), b"v".to_vec())]);
        assert_eq!(state.size_bytes("n").await.unwrap(), 15);
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused() {
        let state = MemoryState::default();
        let write = StateWrite::put("k", vec![0; VALUE_BYTES_MAX + 1]);
        assert!(matches!(
            state.write("n", vec![write]).await,
            Err(Error::TooLarge { what: "value", .. })
        ));
    }
}
