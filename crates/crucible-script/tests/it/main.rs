//! What is said about scripts in public is what the engine takes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod documented;
