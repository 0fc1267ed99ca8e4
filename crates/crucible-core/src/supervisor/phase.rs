//! What a supervisor is doing, finer than the state that it shows.

use tokio::time::Instant;

use super::message::StartReply;

/// What a supervisor is doing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// Nothing: registered, stopped or failed.
    Idle,
    /// Waits for the services that this one depends on.
    Waiting,
    /// `start` runs.
    Starting {
        /// When to go on without an answer, should the call block its thread.
        give_up: Instant,
    },
    /// The service runs.
    Running {
        /// When its earlier failures are forgotten; `None` when there are none.
        stable: Option<Instant>,
    },
    /// The service runs and will stop as soon as those that depend on it have.
    Yielding,
    /// The run ends.
    Ending {
        /// When to go on without an answer.
        give_up: Instant,
        then: Then,
        /// Whether the mailbox is emptied for good.
        is_final: bool,
    },
    /// Broken down; another try is made then.
    Resting { until: Instant },
}

/// What comes after the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The restart policy decides.
    Recover,
    /// It is started again.
    StartAgain,
    /// It stays stopped.
    Stopped,
    /// It stays stopped and the supervisor ends.
    Removed,
}

impl Then {
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Stopped | Self::Removed)
    }
}

impl Phase {
    /// Returns the phase with another continuation, if it is one that has any.
    pub(super) const fn with_then(self, next: Then) -> Self {
        match self {
            Self::Ending {
                give_up, is_final, ..
            } => Self::Ending {
                give_up,
                then: next,
                is_final,
            },
            other => other,
        }
    }

    /// Returns when the phase wants to be woken.
    pub(super) const fn due(self) -> Option<Instant> {
        match self {
            Self::Idle | Self::Waiting | Self::Yielding => None,
            Self::Starting { give_up } | Self::Ending { give_up, .. } => Some(give_up),
            Self::Running { stable } => stable,
            Self::Resting { until } => Some(until),
        }
    }
}

/// Somebody who waits for the service to be started.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) reply: StartReply,
    pub(super) at: Instant,
}
