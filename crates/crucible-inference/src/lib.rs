//! The Inference Engine: embeddings in this process, everything else through providers.
//!
//! [`InferenceService`] is the way in: a supervised service, and an
//! [`InferenceEngine`](crucible_services::inference::InferenceEngine). Behind it:
//!
//! - `local`: models that run here, from a folder with weights to a vector.
//! - [`models`]: the library of such models, and how they come into it.
//! - [`providers`]: models that others run, and what to do when they fail.
//! - `service`: the queue and the thread between those who ask and `local`.
//! - `tls`: the one HTTP client configuration that this crate uses.

mod config;
mod local;
pub mod models;
pub mod providers;
mod service;
mod tls;

pub use config::InferenceConfig;
pub use service::InferenceService;
