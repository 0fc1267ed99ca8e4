//! The API against a store in memory: most tests call the router as a function, some use a socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod control;
mod dashboard;
mod errors;
mod events;
mod grpc;
mod guard;
mod limits;
mod login;
mod openai;
mod openapi;
mod oracle;
mod prometheus;
mod resources;
mod rig;
mod schema;
mod scopes;
mod script_twin;
mod scripts;
mod service;
mod services;
mod settings;
mod settings_twin;
mod sse;
mod standing;
mod tokens;
mod twin;
mod wire;
mod writer_twin;
mod writing;
