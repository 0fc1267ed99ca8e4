//! The list of tools: what agents see, in the order in which they see it.

use std::sync::Arc;

use crucible_services::access::Scope;
use crucible_services::mcp::ToolDescriptor;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value};

use crate::tools::ToolKind;

/// What is said about one tool.
#[derive(Clone, Debug)]
pub(crate) struct ToolSpec {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What it does and when to use it, for the model.
    pub(crate) description: &'static str,
    pub(crate) input: Arc<Map<String, Value>>,
    pub(crate) output: Arc<Map<String, Value>>,
    pub(crate) effect: Effect,
}

/// What a tool does to notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Reads,
    /// It changes them.
    Writes {
        /// Whether something that was there is replaced.
        is_destructive: bool,
    },
}

impl Effect {
    /// Returns what somebody must be allowed to do in order to know of the tool.
    pub(crate) const fn scope(self) -> Scope {
        match self {
            Self::Reads => Scope::Read,
            Self::Writes { .. } => Scope::Write,
        }
    }
}

impl ToolSpec {
    /// Puts a specification together.
    ///
    /// # Panics
    /// When a schema is not an object; every schema is written down in `tools`.
    pub(crate) fn new(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        input: Value,
        output: Value,
    ) -> Self {
        Self {
            name,
            title,
            description,
            input: Arc::new(object(input)),
            output: Arc::new(object(lean(output))),
            effect: Effect::Reads,
        }
    }

    /// Says that the tool changes notes.
    pub(crate) fn writes(mut self, is_destructive: bool) -> Self {
        self.effect = Effect::Writes { is_destructive };
        self
    }

    /// Returns what the protocol lists.
    pub(crate) fn tool(&self) -> Tool {
        Tool::new(self.name, self.description, Arc::clone(&self.input))
            .with_title(self.title)
            .with_raw_output_schema(Arc::clone(&self.output))
            .with_annotations(
                ToolAnnotations::new()
                    .read_only(self.effect == Effect::Reads)
                    .destructive(matches!(
                        self.effect,
                        Effect::Writes {
                            is_destructive: true
                        }
                    ))
                    // Writing tools name what they expect, so that a second call changes nothing.
                    .idempotent(true)
                    .open_world(false),
            )
    }

    pub(crate) fn descriptor(&self) -> ToolDescriptor {
        ToolDescriptor {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            input_schema: Value::Object((*self.input).clone()),
            read_only: self.effect == Effect::Reads,
        }
    }
}

/// Leaves out of an output schema what nobody checks: each client pays for every byte of it.
fn lean(schema: Value) -> Value {
    match schema {
        Value::Object(map) => map
            .into_iter()
            .filter(|(key, value)| {
                let is_strict =
                    key == "additionalProperties" || (key == "required" && value.is_array());
                !is_strict
            })
            .map(|(key, value)| (key, lean(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

fn object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(map) => map,
        _ => unreachable!("schemas are written as objects"),
    }
}

/// All tools, made once.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    entries: Vec<(ToolKind, ToolSpec)>,
}

impl Catalogue {
    pub(crate) fn new() -> Self {
        let entries = ToolKind::ALL
            .into_iter()
            .map(|kind| (kind, kind.spec()))
            .collect();
        Self { entries }
    }

    /// Returns the tool of this name.
    pub(crate) fn find(&self, name: &str) -> Option<(ToolKind, &ToolSpec)> {
        self.entries
            .iter()
            .find(|(_, spec)| spec.name == name)
            .map(|(kind, spec)| (*kind, spec))
    }

    /// Returns what is said about each tool, in the order of the list.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.entries.iter().map(|(_, spec)| spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes that `tools/list` may cost a client's context.
    const LIST_BYTES_MAX: usize = 8 * 1024;

    #[test]
    fn list_of_tools_is_small() {
        let listed: Vec<Tool> = Catalogue::new().specs().map(ToolSpec::tool).collect();
        assert!(listed.len() <= 12, "{} tools of our own", listed.len());
        let bytes = serde_json::to_vec(&listed).unwrap().len();
        let sizes: Vec<_> = listed
            .iter()
            .map(|tool| {
                (
                    tool.name.clone(),
                    serde_json::to_string(tool).unwrap().len(),
                )
            })
            .collect();
        assert!(
            bytes <= LIST_BYTES_MAX,
            "tools/list has {bytes} bytes: {sizes:?}"
        );
    }

    #[test]
    fn names_are_short_and_plain() {
        let catalogue = Catalogue::new();
        for name in catalogue.specs().map(|spec| spec.name) {
            assert!(name.len() <= 32, "{name}");
            assert!(name.chars().all(|c| matches!(c, 'a'..='z' | '_')), "{name}");
        }
    }

    #[test]
    fn schemas_use_only_what_every_client_understands() {
        for (_, spec) in &Catalogue::new().entries {
            for (schema, strict) in [(&spec.input, true), (&spec.output, false)] {
                check_portable(spec.name, &Value::Object((**schema).clone()), true, strict);
            }
        }
    }

    fn check_portable(place: &str, schema: &Value, top: bool, strict: bool) {
        const KEYS: [&str; 13] = [
            "type",
            "description",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "enum",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "maxItems",
            "default",
        ];
        let schema = schema.as_object().unwrap();
        for key in schema.keys() {
            assert!(KEYS.contains(&key.as_str()), "{place}: {key}");
        }
        let kind = schema["type"].as_str();
        assert!(kind.is_some(), "{place}: one type, as text");
        assert!(!top || kind == Some("object"), "{place}: an object on top");
        if kind == Some("object") && !strict {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                check_portable(&format!("{place}.{name}"), property, false, strict);
            }
        } else if kind == Some("object") {
            assert_eq!(schema["additionalProperties"], false, "{place}");
            let properties = schema["properties"].as_object().unwrap();
            for name in schema["required"].as_array().unwrap() {
                assert!(
                    properties.contains_key(name.as_str().unwrap()),
                    "{place}: {name}"
                );
            }
            for (name, property) in properties {
                check_portable(&format!("{place}.{name}"), property, false, strict);
            }
        }
        if kind == Some("array") {
            check_portable(&format!("{place}[]"), &schema["items"], false, strict);
        }
    }
}
