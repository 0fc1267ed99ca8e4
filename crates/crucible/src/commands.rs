//! One file a command. Each takes its arguments and writes its answer to standard output.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dashboard;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod links;
pub(crate) mod mcp;
pub(crate) mod models;
pub(crate) mod note;
pub(crate) mod script;
pub(crate) mod search;
pub(crate) mod serve;
pub(crate) mod services;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod undo;
