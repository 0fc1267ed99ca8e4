//! One file a command. Each takes its arguments and writes its answer to standard output.

pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod links;
pub(crate) mod mcp;
pub(crate) mod note;
pub(crate) mod search;
pub(crate) mod serve;
pub(crate) mod status;
