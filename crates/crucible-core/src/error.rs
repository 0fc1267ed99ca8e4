//! What can go wrong when the core is asked to do something.

use crate::state::CoreState;

/// Why the core could not do what was asked. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the configuration is not valid.
    #[error("the configuration's {field} is not valid: {reason}")]
    InvalidConfig {
        /// The field, dotted.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The name is empty or too long.
    #[error("the service's name {name:?} is not valid: {reason}")]
    InvalidName {
        /// The name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A service of that name is registered already.
    #[error("a service named {name:?} is registered already; unregister it first")]
    DuplicateService {
        /// The name.
        name: String,
    },
    /// There are as many services as the configuration allows.
    #[error("there are {max} services already, the most that max_services allows")]
    TooManyServices {
        /// The bound.
        max: usize,
    },
    /// No service has that name.
    #[error("there is no service named {name:?}{}", hint(.near))]
    NoSuchService {
        /// The name.
        name: String,
        /// Registered names that may have been meant, nearest first.
        near: Vec<String>,
    },
    /// Services would wait for each other without end.
    #[error("the dependencies form a cycle: {}", .path.join(" -> "))]
    DependencyCycle {
        /// The cycle, beginning and ending with the same name.
        path: Vec<String>,
    },
    /// Other services need this one.
    #[error("{name} is needed by {}, which must be stopped first", .dependants.join(", "))]
    HasDependants {
        /// The service.
        name: String,
        /// The running services that depend on it.
        dependants: Vec<String>,
    },
    /// The core is not in a state for this.
    #[error("the core is {state}")]
    WrongState {
        /// The state that it is in.
        state: CoreState,
    },
    /// Services did not start, or did not stop cleanly.
    #[error("{}", list(.failures))]
    Services {
        /// Which, and why.
        failures: Vec<Failure>,
    },
    /// Something else was asked meanwhile, which won.
    #[error("{what} was interrupted: {by}")]
    Interrupted {
        /// What was interrupted.
        what: String,
        /// By what.
        by: String,
    },
    /// A service refused its new section; all sections are as they were before.
    #[error("{service} refused its new configuration, so nothing was changed: {reason}{}", also(.not_restored))]
    ConfigRefused {
        /// The service.
        service: String,
        /// Why.
        reason: String,
        /// Services that could not be given their old section back, and why.
        not_restored: Vec<Failure>,
    },
    /// Another configuration is being taken over.
    #[error("another change of the configuration is under way; try again when it has ended")]
    ConfigBusy,
    /// What a service says about itself when it is registered panicked.
    #[error("the service panicked while it was registered: {message}")]
    Panicked {
        /// The text of the panic.
        message: String,
    },
    /// The core's own task has ended, as it does when the runtime shuts down.
    #[error("the core has ended")]
    Ended,
}

/// What went wrong with one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The service's name.
    pub service: String,
    /// What went wrong, in words.
    pub reason: String,
}

fn list(failures: &[Failure]) -> String {
    let parts: Vec<String> = failures
        .iter()
        .map(|failure| format!("{}: {}", failure.service, failure.reason))
        .collect();
    parts.join("; ")
}

fn hint(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    }
}

fn also(failures: &[Failure]) -> String {
    if failures.is_empty() {
        String::new()
    } else {
        format!(
            " (and some could not take their old one back: {})",
            list(failures)
        )
    }
}
