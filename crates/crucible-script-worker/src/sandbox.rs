//! Giving up authority: what the operating system lets a process lay down for good.
//!
//! [`Fence`] closes in two steps, because some protections hold the thread that asks for them and
//! the threads that it starts later, and others forbid starting threads. A protection that the
//! system does not have is told as one that does not hold; the others still do.

#[cfg(target_os = "linux")]
mod linux;
pub(crate) mod trial;

use crucible_script::protocol::{Protection, Sandbox};

/// Collects the protections that are put on.
#[derive(Debug)]
pub(crate) struct Fence {
    sandbox: Sandbox,
}

impl Fence {
    pub(crate) fn new() -> Self {
        Self {
            sandbox: Sandbox::default(),
        }
    }

    /// Puts on what threads take over from the one that starts them.
    pub(crate) fn close_before_threads(&mut self) {
        self.told("environment", environment());
        #[cfg(target_os = "linux")]
        {
            self.told("descriptors", linux::descriptors());
            self.told("parent", linux::parent());
            self.told("privileges", linux::privileges());
            self.told("landlock", linux::landlock());
        }
        #[cfg(unix)]
        self.told("priority", unix::priority());
    }

    /// Puts on what holds the whole process, and after which no thread can be started.
    pub(crate) fn close_after_threads(&mut self) {
        #[cfg(unix)]
        self.told("limits", unix::limits());
        #[cfg(target_os = "linux")]
        self.told("seccomp", linux::seccomp());
    }

    /// Returns what holds.
    pub(crate) fn into_sandbox(self) -> Sandbox {
        self.sandbox
    }

    fn told(&mut self, name: &str, outcome: Result<String, String>) {
        let active = outcome.is_ok();
        let detail = outcome.unwrap_or_else(|reason| reason);
        self.sandbox.protections.push(Protection {
            name: name.to_owned(),
            active,
            detail,
        });
    }
}

/// The daemon clears the environment when it starts a worker; this says whether it did.
fn environment() -> Result<String, String> {
    match std::env::vars_os().count() {
        0 => Ok("no variables".to_owned()),
        count => Err(format!("{count} variables were handed over")),
    }
}

/// Returns the number of the process that started this one; it changes when that is gone.
#[cfg(unix)]
pub(crate) fn parent() -> Option<i32> {
    rustix::process::getppid().map(rustix::process::Pid::as_raw_pid)
}

/// Returns nothing where a process cannot ask for it.
#[cfg(not(unix))]
pub(crate) const fn parent() -> Option<i32> {
    None
}

#[cfg(unix)]
mod unix {
    //! What every Unix has.

    use rustix::process::{Resource, Rlimit, nice, setrlimit};

    use crate::worker::STACK_BYTES;

    const MIB: u64 = 1024 * 1024;
    /// What a script can use besides the stack, with the language and its units: more than the
    /// largest budget.
    const DATA_BYTES: u64 = 384 * MIB;
    /// Standard input, output and error, and the two ends of the pipe.
    const DESCRIPTORS: u64 = 5;

    pub(super) fn priority() -> Result<String, String> {
        match nice(10) {
            Ok(_) => Ok("nice 10".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn limits() -> Result<String, String> {
        let data = STACK_BYTES as u64 + DATA_BYTES;
        let limits = [
            ("data", Resource::Data, data),
            ("address space", Resource::As, 4 * data),
            ("core", Resource::Core, 0),
            ("descriptors", Resource::Nofile, DESCRIPTORS),
            ("file size", Resource::Fsize, 0),
            ("processes", Resource::Nproc, 0),
        ];
        let mut told = Vec::new();
        let mut refused = Vec::new();
        for (name, resource, limit) in limits {
            let both = Rlimit {
                current: Some(limit),
                maximum: Some(limit),
            };
            match setrlimit(resource, both) {
                Ok(()) => told.push(format!("{name} {limit}")),
                Err(error) => refused.push(format!("{name}: {error}")),
            }
        }
        if refused.is_empty() {
            Ok(told.join(", "))
        } else {
            Err(refused.join(", "))
        }
    }
}
