//! The worker as the daemon sees it: a real process behind a real pipe.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod calls;
mod compiling;
mod deaths;
mod docs;
mod faults;
mod sandbox;
mod service_engine;
mod service_examples;
mod service_scaffold;
mod support;
