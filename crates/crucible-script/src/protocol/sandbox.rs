//! Which protections hold a worker, so that a person can see it.

use serde::{Deserialize, Serialize};

/// The protections of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Each protection by name, in the order in which they were put on.
    pub protections: Vec<Protection>,
}

/// One protection of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Its name: `environment`, `descriptors`, `limits`, `priority`, `parent`, `landlock`,
    /// `seccomp`.
    pub name: String,
    /// Whether it holds.
    pub active: bool,
    /// What it keeps the worker from, or why it does not hold.
    pub detail: String,
}

impl Sandbox {
    /// Returns whether a protection holds.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.protections
            .iter()
            .any(|protection| protection.active && protection.name == name)
    }
}
