//! Where scripts are compiled and run: a seam between the engine and its worker processes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::script::Error;

use crate::protocol::{Compiled, ScriptSource};
use crate::worker::{CallDone, CallSpec, HostCalls};

/// Compiles and runs scripts somewhere apart.
#[async_trait]
pub(crate) trait Runner: fmt::Debug + Send + Sync {
    /// Compiles a script.
    async fn check(&self, source: &Arc<ScriptSource>) -> Result<Compiled, Error>;

    /// Calls a function. When the future is dropped, the call is ended.
    async fn call(&self, spec: CallSpec, host: &dyn HostCalls) -> Ran;

    /// Forgets a script and what runs for it.
    async fn forget(&self, script: &str);

    /// Ends what has been idle for so long.
    async fn end_idle(&self, idle: Duration);

    /// Begins anew after [`Runner::shutdown`].
    fn open(&self);

    /// Ends everything that is idle, and keeps nothing any more.
    async fn shutdown(&self);

    /// Returns how many processes live.
    fn living(&self) -> usize;
}

/// How a call went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Result<CallDone, Error>,
    /// How the process ended, when the call took it along; a limit that was enforced is no crash.
    pub(crate) crash: Option<String>,
}
