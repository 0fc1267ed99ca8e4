//! The MCP Gateway service: tools for AI agents
