//! The vocabulary of the MCP Gateway: tools that AI agents can list and call.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Principal;
use crate::events::Cause;

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

/// Has tools that the gateway offers beside its own. Object-safe.
///
/// The gateway asks for the list whenever a client does, so tools may come and go.
#[async_trait]
pub trait ToolProvider: Send + Sync {
    /// Returns the tools that are there now, in a stable order.
    async fn provided_tools(&self) -> Vec<ToolDescriptor>;

    /// Calls a tool on behalf of `caller`.
    ///
    /// # Errors
    /// [`Error::UnknownTool`], [`Error::InvalidArguments`], or what the tool itself reports.
    async fn call_provided(
        &self,
        name: &str,
        arguments: Value,
        caller: ToolCaller,
    ) -> Result<Value, Error>;
}

/// Who calls a tool, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCaller {
    /// Who, and what they may do.
    pub principal: Principal,
    /// The event of the call; what comes of it follows that event.
    pub cause: Option<Cause>,
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
