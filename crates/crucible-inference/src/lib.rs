//! The Inference Engine: embeddings in this process, everything else through providers.
//!
//! - `providers`: models that others run, and what to do when they fail.
//! - `tls`: the one HTTP client configuration that this crate uses.

mod local;
pub mod models;
pub mod providers;
mod tls;
