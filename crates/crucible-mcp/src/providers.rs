//! Tools that other parts of the daemon offer through this gateway, such as scripts.
//!
//! They are listed after the gateway's own; a name that the gateway or an earlier provider has is
//! left out. What they answer is handed on as it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crucible_services::access::{Principal, Scope};
use crucible_services::mcp::{Error, ToolDescriptor, ToolProvider};
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::fault::{Fault, FaultKind};

/// How long a provider may take to say what it has; then it has nothing for now.
const LIST_DEADLINE: Duration = Duration::from_secs(2);
/// How many tools of all providers are listed.
const TOOLS_MAX: usize = 256;
/// The longest name: clients put their own prefix before it, and models take 64 characters.
const NAME_BYTES_MAX: usize = 48;
/// The longest description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;
/// The largest schema, in bytes of JSON.
const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// The providers, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Providers {
    list: Mutex<Vec<Arc<dyn ToolProvider>>>,
}

/// A tool and who has it.
#[derive(Clone)]
pub(crate) struct Provided {
    pub(crate) provider: Arc<dyn ToolProvider>,
    pub(crate) tool: ToolDescriptor,
}

impl Providers {
    pub(crate) fn add(&self, provider: Arc<dyn ToolProvider>) {
        self.lock().push(provider);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Returns the tools that there are now, without those that `is_taken` knows the name of.
    pub(crate) async fn tools(&self, is_taken: impl Fn(&str) -> bool) -> Vec<Provided> {
        let providers = self.lock().clone();
        let mut all: Vec<Provided> = Vec::new();
        for provider in providers {
            let asked = tokio::time::timeout(LIST_DEADLINE, provider.provided_tools()).await;
            let Ok(tools) = asked else {
                tracing::warn!("a provider did not say which tools it has within 2 s");
                continue;
            };
            for tool in tools {
                let is_known = |other: &Provided| other.tool.name == tool.name;
                if all.len() == TOOLS_MAX || !is_sound(&tool) {
                    tracing::warn!(tool.name = tool.name, "a provided tool is left out");
                } else if is_taken(&tool.name) || all.iter().any(is_known) {
                    tracing::warn!(
                        tool.name = tool.name,
                        "a provided tool has a name that is taken"
                    );
                } else {
                    all.push(Provided {
                        provider: Arc::clone(&provider),
                        tool,
                    });
                }
            }
        }
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<dyn ToolProvider>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_sound(tool: &ToolDescriptor) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !tool.name.is_empty()
        && tool.name.len() <= NAME_BYTES_MAX
        && tool.name.bytes().all(is_plain)
        && tool.description.len() <= DESCRIPTION_BYTES_MAX
        && tool.input_schema.is_object()
        && tool.input_schema.to_string().len() <= SCHEMA_BYTES_MAX
}

impl Provided {
    /// Says whether somebody may know of the tool.
    pub(crate) fn is_for(&self, principal: &Principal) -> bool {
        let scope = if self.tool.read_only {
            Scope::Read
        } else {
            Scope::Write
        };
        principal.may(scope)
    }

    /// Returns what the protocol lists.
    pub(crate) fn listed(&self) -> Tool {
        let schema = match &self.tool.input_schema {
            Value::Object(schema) => schema.clone(),
            _ => Map::new(),
        };
        Tool::new(
            self.tool.name.clone(),
            self.tool.description.clone(),
            Arc::new(schema),
        )
        .with_annotations(
            ToolAnnotations::new()
                .read_only(self.tool.read_only)
                .destructive(!self.tool.read_only)
                .idempotent(self.tool.read_only)
                .open_world(false),
        )
    }
}

/// Makes an answer of what a provided tool returned: text as text, anything else as JSON, which
/// is structured content too (an object, since older clients know no other).
pub(crate) fn answer_of(value: Value) -> Answer {
    match value {
        Value::String(text) => Answer {
            structured: Value::Null,
            text,
        },
        value @ Value::Object(_) => Answer {
            text: value.to_string(),
            structured: value,
        },
        value => Answer {
            text: value.to_string(),
            structured: Value::Object(Map::from_iter([("result".to_owned(), value)])),
        },
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidArguments(message) => Self::invalid(message),
            Error::UnknownTool(_) => Self::new(
                FaultKind::NotFound,
                "The tool is not there any more; list the tools again.",
            ),
            other => Self::new(FaultKind::Provider, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_are_handed_on_as_they_are() {
        let answer = answer_of(json!("plain"));
        assert_eq!(
            (answer.text.as_str(), answer.structured),
            ("plain", Value::Null)
        );
        assert_eq!(answer_of(json!({ "a": 1 })).structured, json!({ "a": 1 }));
        assert_eq!(answer_of(json!([1])).structured, json!({ "result": [1] }));
    }

    #[test]
    fn names_that_models_refuse_are_left_out() {
        let tool = |name: &str, schema: Value| ToolDescriptor {
            name: name.to_owned(),
            description: String::new(),
            input_schema: schema,
            read_only: true,
        };
        assert!(is_sound(&tool("weekly__report-1", json!({}))));
        for name in ["", "a.b", "ä", &"x".repeat(49)] {
            assert!(!is_sound(&tool(name, json!({}))), "{name}");
        }
        assert!(!is_sound(&tool("a", json!([]))));
    }
}
