//! Answers from the tables, one question each, against one snapshot.

pub(crate) mod links;
pub(crate) mod list;
mod near;
pub(crate) mod note;
pub(crate) mod problems;
pub(crate) mod reference;
pub(crate) mod stats;
