//! The contracts that a store fulfils.

mod attachments;
mod data_store;
mod note_index;
