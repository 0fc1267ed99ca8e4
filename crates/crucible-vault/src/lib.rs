//! A vault as a folder: walking, watching, reconciling, reading.
//!
//! Files are the truth and everything else follows them. [`VaultService`] watches a folder and
//! hands what has changed to a [`NoteIndex`](crucible_services::note_index::NoteIndex);
//! [`VaultFolder`] reads a file back on behalf of the index; [`reconcile`](reconcile()) compares
//! the whole folder once, for programs that do not stay.
//!
//! What the operating system tells about changes is taken as a **hint** and never as a truth:
//! each hint makes the vault look at a path (`stat`) and compare it with what the index was last
//! told. A full comparison runs at the start, after hints were lost, and on a timer.
//!
//! The crate does not parse notes, knows no store, and writes nothing into the folder.
//!
//! Where to start reading: [`reconcile`](mod@reconcile) for one comparison from end to end,
//! `follower` for what happens afterwards, `survey` for how disk and index are compared.

mod absence;
mod carry;
pub mod config;
mod engine;
pub mod folder;
mod follower;
mod found;
mod hints;
mod known;
pub mod left_out;
mod names;
mod open;
mod plan;
pub mod progress;
mod read;
pub mod reconcile;
mod rules;
pub mod service;
mod stamp;
mod survey;
mod walk;
mod watching;

pub use config::VaultConfig;
pub use folder::{OpenError, VaultFolder};
pub use left_out::{LeftOut, LeftOutRule, left_out};
pub use progress::{Phase, Progress};
pub use reconcile::{ReconcileError, ReconcileReport, reconcile};
pub use service::VaultService;
