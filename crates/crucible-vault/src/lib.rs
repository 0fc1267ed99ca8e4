//! A vault as a folder: walking, watching, reconciling, reading, writing.
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
//! [`VaultWriter`] changes notes: each change names the content that was seen, is whole or not made
//! at all, and can be undone. Nothing else in the crate writes into the folder, and the crate knows
//! no store.
//!
//! Where to start reading: [`reconcile`](mod@reconcile) for one comparison from end to end,
//! `follower` for what happens afterwards, `survey` for how disk and index are compared, [`writer`] for
//! how notes are changed.

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
mod turn;
mod walk;
mod watching;
#[cfg(unix)]
pub mod writer;

pub use config::VaultConfig;
pub use folder::{OpenError, VaultFolder};
pub use left_out::{LeftOut, LeftOutRule, left_out};
pub use progress::{Phase, Progress};
pub use reconcile::{ReconcileError, ReconcileReport, reconcile};
pub use service::VaultService;
#[cfg(unix)]
pub use writer::{VaultWriter, WriterConfig, WriterError};
