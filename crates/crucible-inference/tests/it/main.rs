//! The Inference Engine from outside.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod library;
mod providers;
mod service;
mod tiny;
