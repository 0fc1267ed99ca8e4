//! How far a vault is, for those who wait.

use crate::reconcile::ReconcileReport;

/// How far a vault is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// What went wrong and is being tried again; `None` while all goes well.
    pub failure: Option<String>,
}

/// What a vault is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: it has not been started, or has been stopped.
    #[default]
    Idle,
    /// Looking at every file.
    Walking,
    /// Handing over what has changed since the index was last open.
    Indexing {
        /// Files handed over.
        done: u64,
        /// Files to hand over.
        total: u64,
    },
    /// Following changes: the first comparison is finished.
    Watching {
        /// What the first comparison found and did.
        first: ReconcileReport,
    },
}
