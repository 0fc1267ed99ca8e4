//! Warm workers: a call takes a free one, and what died is replaced for the next call.

use crucible_services::script::Error;

use crate::protocol::Compiled;
