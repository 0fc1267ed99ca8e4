//! Timing in pairs, and the lines that are printed.

use std::time::Duration;

use tokio::time::Instant;

use crate::Outcome;

/// Runs `work` and says how long it took.
pub(crate) fn time<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, Duration)> {
    let began = Instant::now();
    let result = work()?;
    Ok((result, began.elapsed()))
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a bench prints its result")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Our times and a peer's, from interleaved rounds.
#[derive(Debug)]
pub(crate) struct Pair {
    name: &'static str,
    peer_name: &'static str,
    ours: Vec<Duration>,
    peer: Vec<Duration>,
}

impl Pair {
    pub(crate) const fn new(name: &'static str, peer_name: &'static str) -> Self {
        Self {
            name,
            peer_name,
            ours: Vec::new(),
            peer: Vec::new(),
        }
    }

    pub(crate) fn ours(&mut self, elapsed: Duration) {
        self.ours.push(elapsed);
    }

    pub(crate) fn peer(&mut self, elapsed: Duration) {
        self.peer.push(elapsed);
    }

    /// Prints medians and their ratio.
    pub(crate) fn print(&mut self) {
        let (name, peer_name) = (self.name, self.peer_name);
        let (ours, peer) = (quantile(&mut self.ours, 50), quantile(&mut self.peer, 50));
        line(&format!(
            "{name}: ours {ours:.2?}, {peer_name} {peer:.2?} (medians)"
        ));
        let ratio = ours.as_secs_f64() / peer.as_secs_f64().max(f64::MIN_POSITIVE);
        line(&format!("ratio {name} {ratio:.2} peer={peer_name}"));
    }

    /// As [`Pair::print`], with the 99th percentiles before it.
    pub(crate) fn print_with_tail(&mut self) {
        let (ours, peer) = (quantile(&mut self.ours, 99), quantile(&mut self.peer, 99));
        line(&format!(
            "{}: ours {ours:.2?}, {} {peer:.2?} (p99)",
            self.name, self.peer_name
        ));
        self.print();
    }
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get(last * percent / 100).copied().unwrap_or_default()
}
