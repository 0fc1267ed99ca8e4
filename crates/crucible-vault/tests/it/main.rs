//! The vault against real folders and an index in memory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod random;
mod reconciling;
mod recorder;
mod serving;
mod watching;
#[cfg(unix)]
mod writing;
