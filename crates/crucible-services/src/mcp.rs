//! The vocabulary of the MCP Gateway: tools that AI agents can list and call.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Offers tools to AI agents over the Model Context Protocol. Object-safe.
#[async_trait]
pub trait McpGateway: Send + Sync {
    /// Returns the protocol revisions that the gateway speaks, newest first.
    fn protocol_versions(&self) -> Vec<String>;

    /// Returns the tools, in a stable order.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    async fn tools(&self) -> Result<Vec<ToolDescriptor>, Error>;

    /// Calls a tool.
    ///
    /// # Errors
    /// [`Error::UnknownTool`], [`Error::InvalidArguments`], or what the tool itself reports.
    async fn call_tool(&self, name: &str, arguments: Value) -> Result<Value, Error>;
}

/// What an agent is told about a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolDescriptor {
    /// The name to call.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of the arguments: an object.
    pub input_schema: Value,
    /// True when the tool changes nothing.
    pub read_only: bool,
}

/// Why a tool could not be called. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No tool has this name.
    #[error("no tool is called {0:?}")]
    UnknownTool(String),
    /// The arguments do not fit the tool.
    #[error("{0}")]
    InvalidArguments(String),
    /// The tool failed.
    #[error("{0}")]
    Failed(String),
}
