//! Tests of the store through its public contracts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod applying;
mod asking;
mod attachments;
mod bench;
mod crashing;
mod damage;
mod engine;
mod full_disk;
mod hybrid;
mod linking;
mod moving;
mod random;
mod reading_beside;
mod restarting;
mod serving;
mod state;
mod vectors;
