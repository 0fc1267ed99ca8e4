//! HTTP access to a running daemon: REST, an event stream, a dashboard, and a client for them.
//!
//! - [`router()`] answers requests and needs no socket; [`ApiService`] puts it behind one.
//! - `routes` holds one file per resource under `/api/v1`, and the one table that says of each
//!   route where it is, which scope it needs and what it takes and answers; `dashboard` holds the
//!   pages for people.
//! - [`auth`] knows who asks: tokens, one-time links and sessions.
//! - [`error`] chooses every status code and is the one envelope of all faults.
//! - `openapi` describes all routes; what it says is committed as `docs/openapi.json`, which is
//!   the list of resources.
//! - [`grpc`] has services, events and health as gRPC, on the same port.
//! - `guard`, `auth`, `limits` and `observe` stand before every route.
//! - [`client::Client`] asks a daemon that runs elsewhere, through the same
//!   [`DataStore`](crucible_services::service_traits::DataStore) and
//!   [`NoteWriter`](crucible_services::service_traits::NoteWriter) traits.
//!
//! Outside `/api/v1` are `livez`, `readyz`, `metrics`, the dashboard's pages, and `mcp`.
//!
//! The API listens on loopback only, and asks for a token or a session before every route but the
//! probe of life, the way in and what pages load. What it answers comes from the traits it was
//! handed; it holds no notes itself. Start reading at [`router()`].

pub mod auth;
mod body;
pub mod client;
mod config;
mod dashboard;
pub mod error;
pub mod grpc;
mod guard;
mod limits;
mod mcp;
mod observe;
mod openapi;
mod params;
mod percent;
mod route;
pub mod router;
mod routes;
mod serve;
mod service;
mod state;

pub use config::{ApiConfig, ApiParts, VaultInfo};
pub use router::router;
pub use routes::events::{Delivered, NewEvent, Published};
pub use service::ApiService;
