//! HTTP access to a running daemon: REST, an event stream, a dashboard, and a client for them.
//!
//! - [`router()`] answers requests and needs no socket; [`ApiService`] puts it behind one.
//! - `routes` holds one file per resource under `/api/v1`; `dashboard` the pages for people.
//! - [`error`] chooses every status code and is the one envelope of all faults.
//! - `guard`, `limits` and `observe` stand before every route.
//! - [`client::Client`] asks a daemon that runs elsewhere, through the same
//!   [`DataStore`](crucible_services::service_traits::DataStore) trait.
//!
//! | Resource under `/api/v1` | Answer |
//! |---|---|
//! | `GET health`, `services`, `services/{name}`, `metrics` | what the coordinator knows |
//! | `POST services/{name}/start`, `stop`, `restart` | the service's state afterwards |
//! | `GET search?q=&limit=&folder=&tag=` | notes found, best first |
//! | `GET notes?folder=&tag=&limit=&cursor=`, `notes/{reference}`, `links/{reference}` | notes |
//! | `GET stats`, `problems?limit=`, `vault` | what is indexed, what is not, and where |
//! | `GET events?category=&type=&source=&named=` | a stream of events (SSE) |
//! | `GET events/recent?limit=&category=&type=&source=` | the last events |
//!
//! At the root are `livez` and `readyz` for supervisors, the dashboard's pages, and `mcp`.
//!
//! The API listens on loopback only: until requests can be authenticated, whoever can reach it
//! may use it. What it answers comes from the traits it was handed; it holds no notes itself.
//! Start reading at [`router()`].

pub mod auth;
mod body;
pub mod client;
mod config;
mod dashboard;
pub mod error;
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
