//! The whole program, from outside: the real binary, real folders, real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod bad_input;
mod beside;
mod bursts;
mod control;
mod damage;
mod events;
mod full_disk;
mod harness;
mod kills;
mod lifecycle;
mod readme;
mod rust_client;
mod saving;
mod scripts;
mod usage;
mod whole_path;
