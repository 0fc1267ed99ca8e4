//! The vault against real folders and an index in memory.

mod bad_input;
mod random;
mod reconciling;
mod recorder;
mod serving;
mod watching;
