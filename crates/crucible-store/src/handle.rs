//! The two contracts that a store fulfils.

mod data_store;
mod note_index;
