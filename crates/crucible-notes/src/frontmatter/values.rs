//! Frontmatter as values: YAML, TOML and JSON become one kind of map, in the file's order.

use serde_json::{Map, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

use crate::facts::FrontmatterFault;

/// Most values in one frontmatter, those that aliases repeat included.
const NODES_MAX: usize = 50_000;

/// Deepest nesting of lists and maps.
const DEPTH_MAX: usize = 64;

/// The key under which `toml` hands over dates to formats that have none.
const TOML_DATE_KEY: &str = "$__toml_private_datetime";

/// What a frontmatter holds.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) map: Map<String, Value>,
    /// What was passed over while reading.
    pub(super) fault: Option<FrontmatterFault>,
}

/// Reads YAML whose first line is the second of the file.
pub(super) fn yaml(text: &str) -> Result<Properties, FrontmatterFault> {
    if is_blank_yaml(text) {
        return Ok(Properties::default());
    }
    match yaml_value(text, DuplicateKeyPolicy::Error) {
        Ok(value) => properties(value, None),
        Err(error) if is_duplicate(&error) => {
            let fault = yaml_fault(&error);
            let value = yaml_value(text, DuplicateKeyPolicy::LastWins)
                .map_err(|error| yaml_fault(&error))?;
            properties(value, Some(fault))
        }
        Err(error) => Err(yaml_fault(&error)),
    }
}

fn is_blank_yaml(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#'))
}

fn yaml_value(
    text: &str,
    duplicate_keys: DuplicateKeyPolicy,
) -> Result<Value, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * NODES_MAX,
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: duplicate_keys,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

fn is_duplicate(error: &serde_saphyr::Error) -> bool {
    matches!(
        error.without_snippet(),
        serde_saphyr::Error::DuplicateMappingKey { .. }
    )
}

fn yaml_fault(error: &serde_saphyr::Error) -> FrontmatterFault {
    let line = error.location().map(|place| place.line() + 1);
    let options = serde_saphyr::render_options! {
        snippets: serde_saphyr::SnippetMode::Off,
    };
    let message = first_line(&error.render_with_options(options));
    // The place is told apart from the message, as a line of the file.
    let cause = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(cause, _)| cause);
    // The parser speaks of types that the writer of a note does not know.
    let cause = match cause.contains("deserialize null into string") {
        true => "a key is empty",
        false => cause,
    };
    let cure = match is_duplicate(error) {
        true => "the last value counts",
        false => "put quotes around text that holds marks such as `: # @ % ? * & [ {`",
    };
    FrontmatterFault {
        message: format!("{cause}; {cure}"),
        line,
    }
}

/// Reads TOML whose first line is the second of the file.
pub(super) fn toml(text: &str) -> Result<Properties, FrontmatterFault> {
    let mut value: Value = toml::from_str(text).map_err(|error| FrontmatterFault {
        message: first_line(error.message()),
        line: error
            .span()
            .map(|span| 2 + text[..span.start.min(text.len())].matches('\n').count() as u64),
    })?;
    dates_to_text(&mut value);
    properties(value, None)
}

/// Replaces `{"$__toml_private_datetime": "2024-01-01"}` by its text. The parser bounds the depth.
fn dates_to_text(value: &mut Value) {
    match value {
        Value::Object(map) => match map.get_mut(TOML_DATE_KEY) {
            Some(date) => *value = date.take(),
            None => map.values_mut().for_each(dates_to_text),
        },
        Value::Array(values) => values.iter_mut().for_each(dates_to_text),
        _ => {}
    }
}

/// Tells what is wrong with a JSON object that opens a note.
pub(super) fn json_fault(error: &serde_json::Error) -> FrontmatterFault {
    FrontmatterFault {
        message: first_line(&error.to_string()),
        line: Some(error.line() as u64),
    }
}

fn properties(
    value: Value,
    fault: Option<FrontmatterFault>,
) -> Result<Properties, FrontmatterFault> {
    let kind = match value {
        Value::Object(map) => return Ok(Properties { map, fault }),
        Value::Null => return Ok(Properties::default()),
        Value::Array(_) => "a list",
        _ => "a single value",
    };
    Err(FrontmatterFault {
        message: format!("frontmatter is {kind}; write it as `key: value` lines"),
        line: Some(2),
    })
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}
