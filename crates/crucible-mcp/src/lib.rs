//! The MCP Gateway service: the vault as tools for AI agents.
//!
//! Tools over [`DataStore`](crucible_services::data_store::DataStore) (`search_notes`, `read_note`,
//! `list_notes`, `note_links`), tools that change notes for those who may (`create_note`,
//! `edit_note`, `move_note`), tools that other parts provide, and notes as resources that can be
//! subscribed to, served in both eras of the Model
//! Context Protocol: *legacy* (`initialize`, up to 2025-11-25) and *modern* (2026-07-28, every
//! request stands alone). [`McpService::serve_stdio`] speaks over standard input and output,
//! [`McpService::http_service`] over streamable HTTP, and [`McpService`] answers the same calls
//! inside the process as [`McpGateway`](crucible_services::mcp::McpGateway).
//!
//! Every call, whichever way it came, passes one place: `gateway`. There it is decided who may know
//! of a tool (what is denied is unknown), the arguments are checked against the schema that the tool advertises, the number of calls in flight and the
//! time of each are bounded, and the call is told as events. Neither events nor log lines of
//! this crate carry arguments or note text. **The SDK beneath does log whole messages** at
//! `debug` and `trace`: see [`LOG_FILTER`].
//!
//! The crate reads no file, opens no socket, and never writes to standard output anything but
//! protocol messages.
//!
//! Where to start reading: `gateway` for the life of a call, `tools` for what can be called,
//! `connection` for how the protocol reaches the gateway.

mod answer;
mod budget;
mod catalogue;
mod changes;
pub mod config;
mod connection;
mod desk;
mod fault;
mod gate;
mod gateway;
mod host;
pub mod http;
mod lines;
mod listening;
mod providers;
mod reference;
mod resources;
mod schema;
pub mod service;
mod sessions;
mod stdin;
pub mod stdio;
mod suggest;
mod teller;
mod tools;
mod uri;

pub use config::McpConfig;
pub use http::HttpService;
pub use service::McpService;
pub use stdio::Error;

/// What to add to the log filter of a program that serves MCP.
///
/// Below `warn` the SDK logs whole requests, and with them what people ask of their notes.
pub const LOG_FILTER: &str = "rmcp=warn";
