//! What a tool answers when it could do its work.

use serde::Serialize;
use serde_json::Value;

use crate::fault::{Fault, FaultKind};

/// The same answer twice: for programs and for models.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Fits the tool's output schema; null when there is none.
    pub(crate) structured: Value,
    /// Compact Markdown that says the same.
    pub(crate) text: String,
}

impl Answer {
    /// Puts the two forms together.
    ///
    /// # Errors
    /// When `structured` cannot be written as JSON, which no tool's output does.
    pub(crate) fn new(structured: &impl Serialize, text: String) -> Result<Self, Fault> {
        let structured = serde_json::to_value(structured).map_err(|error| {
            Fault::new(
                FaultKind::Internal,
                format!("The answer cannot be written as JSON: {error}."),
            )
        })?;
        Ok(Self { structured, text })
    }
}
