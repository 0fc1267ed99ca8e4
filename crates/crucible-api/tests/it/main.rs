//! The API against a store in memory: most tests call the router as a function, some use a socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod dashboard;
mod errors;
mod events;
mod guard;
mod limits;
mod resources;
mod rig;
mod service;
mod services;
mod sse;
mod twin;
