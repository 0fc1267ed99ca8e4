//! Tools of scripts, as the MCP gateway offers them.
//!
//! A tool appears once a person has granted `mcp.expose` for it. Its name is `SCRIPT__TOOL`, cut to
//! what clients take, and stays the same as long as the two names do.

use async_trait::async_trait;
use crucible_services::access::Scope;
use crucible_services::mcp::{Error, ToolCaller, ToolDescriptor};
use crucible_services::script::{self, CallRequest};
use crucible_services::service_traits::ToolProvider;
use serde_json::Value;

use crate::capability::Capability;
use crate::manifest::Tool;
use crate::schema;
use crate::service::ScriptService;
use crate::slot::Force;

/// The longest name, in bytes: clients put their own prefix before it and stop at 64.
const NAME_BYTES_MAX: usize = 48;

/// A tool that is there now.
struct Offered {
    name: String,
    script: String,
    tool: Tool,
}

impl ScriptService {
    /// Returns the tools that are there now, by script, in the order of their manifests.
    fn offered(&self) -> Vec<Offered> {
        let Ok(engine) = self.engine() else {
            return Vec::new();
        };
        let mut offered = Vec::new();
        for slot in engine.slots() {
            let Ok(Force { version, scopes }) = slot.force() else {
                continue;
            };
            for tool in &version.manifest.tools {
                if scopes.has(&Capability::McpExpose(tool.name.clone())) {
                    offered.push(Offered {
                        name: full_name(&slot.name, &tool.name),
                        script: slot.name.clone(),
                        tool: tool.clone(),
                    });
                }
            }
        }
        offered
    }
}

#[async_trait]
impl ToolProvider for ScriptService {
    async fn provided_tools(&self) -> Vec<ToolDescriptor> {
        let tools = self.offered().into_iter().map(|offered| ToolDescriptor {
            name: offered.name,
            description: offered.tool.about,
            input_schema: offered.tool.input,
            read_only: offered.tool.read_only,
        });
        tools.collect()
    }

    async fn call_provided(
        &self,
        name: &str,
        arguments: Value,
        caller: ToolCaller,
    ) -> Result<Value, Error> {
        let offered = self
            .offered()
            .into_iter()
            .find(|offered| offered.name == name);
        let Some(Offered { script, tool, .. }) = offered else {
            return Err(Error::UnknownTool(name.to_owned()));
        };
        let wanted = if tool.read_only {
            Scope::Read
        } else {
            Scope::Write
        };
        if !caller.principal.may(wanted) {
            return Err(Error::Failed(format!(
                "{name} needs the scope {wanted}, which {:?} does not have",
                caller.principal.name
            )));
        }
        let arguments = match arguments {
            Value::Null => Value::Object(serde_json::Map::new()),
            other => other,
        };
        schema::validate(&tool.input, &arguments).map_err(Error::InvalidArguments)?;
        let request = CallRequest {
            script,
            function: tool.function,
            arguments: vec![arguments],
            budget: None,
            cause: caller.cause,
            dry_run: false,
        };
        match self.run(request, tool.read_only).await {
            Ok(outcome) => Ok(outcome.value),
            Err(script::Error::NotFound(_)) => Err(Error::UnknownTool(name.to_owned())),
            Err(error) => Err(Error::Failed(error.to_string())),
        }
    }
}

/// Returns the name under which a tool is offered.
fn full_name(script: &str, tool: &str) -> String {
    let name = format!("{script}__{tool}");
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{}_{}", &name[..NAME_BYTES_MAX - 7], &hash[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        assert_eq!(
            full_name("tag-index", "notes_of_tag"),
            "tag-index__notes_of_tag"
        );
        let script = "a".repeat(40);
        let one = full_name(&script, "a_rather_long_tool_name_one");
        let two = full_name(&script, "a_rather_long_tool_name_two");
        assert_eq!((one.len(), two.len()), (NAME_BYTES_MAX, NAME_BYTES_MAX));
        assert_ne!(one, two);
    }
}
