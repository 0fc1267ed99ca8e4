//! The contract that every part of Crucible is written against.
//!
//! - [`events`]: what has happened, told as typed events.
//! - [`router`]: how an event reaches the services that subscribe to it.
//! - [`service_traits`]: what a service must offer to be supervised ([`ServiceLifecycle`]), and
//!   the four capabilities that callers ask for answers.
//! - [`data_store`], [`attachments`], [`note_index`], [`note_writer`], [`inference`], [`script`], [`mcp`],
//!   [`configuration`], [`state_store`]: the vocabulary of those capabilities.
//! - [`access`], [`health`], [`clock`], [`tasks`], [`ids`]: what all of them share.
//!
//! The crate does no I/O and names no implementation: implementations depend on it, never the
//! other way round. Start reading at [`service_traits`].
//!
//! [`ServiceLifecycle`]: service_traits::ServiceLifecycle

pub mod access;
pub mod attachments;
pub mod clock;
pub mod configuration;
pub mod data_store;
pub mod events;
pub mod health;
pub mod ids;
pub mod inference;
pub mod mcp;
pub mod note_index;
pub mod note_writer;
pub mod router;
pub mod script;
pub mod service_traits;
pub mod state_store;
pub mod tasks;
