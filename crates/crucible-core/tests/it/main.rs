//! The coordinator as those who embed it see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actor;
mod configuring;
mod events;
mod faults;
mod health;
mod lifecycle;
mod registry;
#[rustfmt::skip]
mod seed_samples;
mod simulation;
