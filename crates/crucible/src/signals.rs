//! The signals that ask the process to end.

use std::time::Duration;

use tokio::time::Instant;

/// A wrapper such as `timeout` or a package runner passes on a signal that the terminal has sent
/// to the whole group already: what comes this soon is the same wish once more.
const ECHO: Duration = Duration::from_millis(500);

/// Listens for Ctrl-C (SIGINT) and SIGTERM; from then on they end nothing by themselves.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let interrupt = signal(SignalKind::interrupt())?;
            let terminate = signal(SignalKind::terminate())?;
            Ok(Self {
                interrupt,
                terminate,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Returns once the process is asked again, after a first signal. Cancel safe.
    pub(crate) async fn again(&mut self) -> &'static str {
        let first = Instant::now();
        loop {
            let signal = self.next().await;
            if first.elapsed() > ECHO {
                return signal;
            }
        }
    }

    /// Returns once the process is asked to end, and names the signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.terminate.recv() => "SIGTERM",
            }
        }
        #[cfg(not(unix))]
        {
            // Without a console there is nobody to press the keys.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            "Ctrl-C"
        }
    }
}
