//! What the engine has done, counted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Totals since the engine was made, and which models are in memory.
#[derive(Debug, Default)]
pub(super) struct Figures {
    requests: AtomicU64,
    texts: AtomicU64,
    cached: AtomicU64,
    tokens: AtomicU64,
    loaded: Mutex<BTreeSet<String>>,
}

/// The figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Requests answered.
    pub requests: u64,
    /// Texts that have got a vector.
    pub texts: u64,
    /// Those of them whose vector was known.
    pub cached: u64,
    /// Tokens read and written.
    pub tokens: u64,
}

impl Figures {
    /// Counts a request that was answered.
    pub(super) fn answered(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts texts that have got a vector, and those among them whose vector was known.
    pub(super) fn embedded(&self, texts: usize, cached: usize) {
        self.texts.fetch_add(texts as u64, Ordering::Relaxed);
        self.cached.fetch_add(cached as u64, Ordering::Relaxed);
    }

    /// Counts tokens.
    pub(super) fn read(&self, tokens: u64) {
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
    }

    /// Returns the totals.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            requests: self.requests.load(Ordering::Relaxed),
            texts: self.texts.load(Ordering::Relaxed),
            cached: self.cached.load(Ordering::Relaxed),
            tokens: self.tokens.load(Ordering::Relaxed),
        }
    }

    /// Notes that a model is in memory.
    pub(super) fn loaded(&self, model: &str) {
        self.models().insert(model.to_owned());
    }

    /// Notes that a model left memory.
    pub(super) fn unloaded(&self, model: &str) {
        self.models().remove(model);
    }

    /// Says whether a model is in memory.
    pub(super) fn is_loaded(&self, model: &str) -> bool {
        self.models().contains(model)
    }

    /// Returns the names of the models that are in memory.
    pub(super) fn loaded_models(&self) -> Vec<String> {
        self.models().iter().cloned().collect()
    }

    fn models(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
