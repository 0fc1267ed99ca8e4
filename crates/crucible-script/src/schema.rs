//! A small part of JSON Schema (2020-12): enough to describe and check a tool's arguments.
//!
//! The part is the one that all model APIs take: an object at the top, plain types, no
//! combinators and no references. [`check`] refuses a schema that uses more, so that nothing is
//! advertised which is not enforced.

use serde_json::{Map, Value};

use crate::nearest::cure;

/// How deep a schema may nest.
const DEPTH_MAX: usize = 16;

const TYPES: [&str; 7] = [
    "object", "array", "string", "integer", "number", "boolean", "null",
];

/// The keywords that are enforced, and those that only describe.
const KEYWORDS: [&str; 16] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "title",
    "description",
    "default",
    "examples",
];

/// Says whether a schema can describe a tool's arguments.
///
/// # Errors
/// Where the fault is and what is wrong.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
    if !is_object {
        return Err("the input schema must have `type = \"object\"` at the top".to_owned());
    }
    check_at(schema, "input", 0)
}

fn check_at(schema: &Value, place: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("{place}: nested deeper than {DEPTH_MAX}"));
    }
    let Some(schema) = schema.as_object() else {
        return Err(format!("{place}: a schema is a table"));
    };
    for keyword in schema.keys() {
        if !KEYWORDS.contains(&keyword.as_str()) {
            let cure = cure(keyword, &KEYWORDS);
            return Err(format!(
                "{place}: the keyword `{keyword}` is not supported{cure}"
            ));
        }
    }
    match schema.get("type").map(Value::as_str) {
        None => {}
        Some(Some(name)) if TYPES.contains(&name) => {}
        Some(name) => {
            let name = name.unwrap_or("a list");
            return Err(format!(
                "{place}: {name:?} is no type{}",
                cure(name, &TYPES)
            ));
        }
    }
    for bound in ["minimum", "maximum"] {
        if schema.get(bound).is_some_and(|value| !value.is_number()) {
            return Err(format!("{place}: `{bound}` must be a number"));
        }
    }
    for bound in ["minLength", "maxLength", "minItems", "maxItems"] {
        if schema
            .get(bound)
            .is_some_and(|value| value.as_u64().is_none())
        {
            return Err(format!("{place}: `{bound}` must be a whole number from 0"));
        }
    }
    if schema.get("enum").is_some_and(|value| !value.is_array()) {
        return Err(format!("{place}: `enum` must be a list"));
    }
    if schema
        .get("additionalProperties")
        .is_some_and(|value| !value.is_boolean())
    {
        return Err(format!(
            "{place}: `additionalProperties` must be true or false"
        ));
    }
    if let Some(items) = schema.get("items") {
        check_at(items, &format!("{place}.items"), depth + 1)?;
    }
    check_properties(schema, place, depth)
}

fn check_properties(schema: &Map<String, Value>, place: &str, depth: usize) -> Result<(), String> {
    let properties = match schema.get("properties") {
        None => &Map::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(format!("{place}: `properties` must be a table")),
    };
    for (name, property) in properties {
        check_at(property, &format!("{place}.{name}"), depth + 1)?;
    }
    let required = match schema.get("required") {
        None => return Ok(()),
        Some(Value::Array(names)) => names,
        Some(_) => return Err(format!("{place}: `required` must be a list of names")),
    };
    for name in required {
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        match name.as_str() {
            Some(name) if properties.contains_key(name) => {}
            Some(name) => {
                let cure = cure(name, &known);
                return Err(format!(
                    "{place}: `required` names {name:?}, which is no property{cure}"
                ));
            }
            None => return Err(format!("{place}: `required` must be a list of names")),
        }
    }
    Ok(())
}

/// Says whether arguments fit a schema that [`check`] accepted.
///
/// # Errors
/// The first argument that does not fit, why, and what would.
pub(crate) fn validate(schema: &Value, arguments: &Value) -> Result<(), String> {
    validate_at(schema, arguments, "")
}

fn validate_at(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let name = if place.is_empty() {
        "the arguments"
    } else {
        place
    };
    if let Some(wanted) = schema.get("type").and_then(Value::as_str)
        && !has_type(value, wanted)
    {
        let article = if wanted.starts_with(['a', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        return Err(format!(
            "{name} must be {article} {wanted}, not {}",
            type_of(value)
        ));
    }
    if let Some(Value::Array(choices)) = schema.get("enum")
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        return Err(format!("{name} must be one of {}", choices.join(", ")));
    }
    match value {
        Value::Number(number) => check_number(schema, number.as_f64().unwrap_or(f64::NAN), name),
        Value::String(text) => {
            let chars = text.chars().count() as u64;
            check_size(
                schema,
                chars,
                ("minLength", "maxLength"),
                name,
                "characters",
            )
        }
        Value::Array(items) => {
            let count = items.len() as u64;
            check_size(schema, count, ("minItems", "maxItems"), name, "items")?;
            match schema.get("items") {
                None => Ok(()),
                Some(schema) => items.iter().enumerate().try_for_each(|(index, item)| {
                    validate_at(schema, item, &format!("{place}[{index}]"))
                }),
            }
        }
        Value::Object(fields) => validate_fields(schema, fields, place),
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn validate_fields(schema: &Value, fields: &Map<String, Value>, place: &str) -> Result<(), String> {
    let below = |name: &str| {
        if place.is_empty() {
            format!("`{name}`")
        } else {
            format!("{place}.{name}")
        }
    };
    let none = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{} is missing", below(name)));
        }
    }
    // Closed unless the schema opens it: a wrong name must not be passed over in silence.
    let is_open = schema.get("additionalProperties") == Some(&Value::Bool(true))
        || (properties.is_empty() && !place.is_empty());
    for (name, value) in fields {
        match properties.get(name) {
            Some(schema) => validate_at(schema, value, &below(name))?,
            None if is_open => {}
            None => {
                let known: Vec<&str> = properties.keys().map(String::as_str).collect();
                return Err(format!(
                    "{} is not known here{}",
                    below(name),
                    cure(name, &known)
                ));
            }
        }
    }
    Ok(())
}

fn check_number(schema: &Value, number: f64, name: &str) -> Result<(), String> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), _) if number < least => Err(format!("{name} must be at least {least}")),
        (_, Some(most)) if number > most => Err(format!("{name} must be at most {most}")),
        _ => Ok(()),
    }
}

fn check_size(
    schema: &Value,
    size: u64,
    (least, most): (&str, &str),
    name: &str,
    unit: &str,
) -> Result<(), String> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    match (bound(least), bound(most)) {
        (Some(least), _) if size < least => {
            Err(format!("{name} must have at least {least} {unit}"))
        }
        (_, Some(most)) if size > most => Err(format!("{name} must have at most {most} {unit}")),
        _ => Ok(()),
    }
}

fn has_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        "number" => value.is_number(),
        other => type_of(value) == other,
    }
}

const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["tag"],
            "properties": {
                "tag": { "type": "string", "minLength": 1, "maxLength": 4 },
                "limit": { "type": "integer", "minimum": 1, "maximum": 10 },
                "order": { "enum": ["title", "path"] },
                "words": { "type": "array", "items": { "type": "string" }, "maxItems": 2 },
                "more": { "type": "object" },
            },
        })
    }

    fn refused(arguments: &Value) -> String {
        validate(&schema(), arguments).unwrap_err()
    }

    #[test]
    fn arguments_that_fit_are_taken() {
        check(&schema()).unwrap();
        for arguments in [
            json!({ "tag": "a" }),
            json!({ "tag": "a", "limit": 10, "order": "path", "words": ["x", "y"] }),
            json!({ "tag": "🥖🥖🥖🥖", "limit": 3.0, "more": { "any": 1 } }),
        ] {
            assert_eq!(validate(&schema(), &arguments), Ok(()), "{arguments}");
        }
    }

    #[test]
    fn each_misfit_is_named() {
        assert_eq!(refused(&json!({})), "`tag` is missing");
        assert_eq!(
            refused(&json!([])),
            "the arguments must be an object, not array"
        );
        assert_eq!(
            refused(&json!({ "tag": 1 })),
            "`tag` must be a string, not number"
        );
        assert!(refused(&json!({ "tag": "" })).contains("at least 1 characters"));
        assert!(refused(&json!({ "tag": "abcde" })).contains("at most 4"));
        assert!(refused(&json!({ "tag": "a", "limit": 11 })).contains("at most 10"));
        assert!(refused(&json!({ "tag": "a", "limit": 1.5 })).contains("an integer"));
        assert!(refused(&json!({ "tag": "a", "order": "date" })).contains("\"title\", \"path\""));
        assert!(refused(&json!({ "tag": "a", "words": ["x", 1] })).contains("[1]"));
        assert!(refused(&json!({ "tag": "a", "words": [1, 2, 3] })).contains("at most 2 items"));
        assert!(refused(&json!({ "tag": "a", "limt": 1 })).contains("did you mean `limit`"));
    }

    #[test]
    fn schemas_that_would_not_be_enforced_are_refused() {
        for (schema, word) in [
            (json!({ "type": "string" }), "type = \"object\""),
            (json!({ "type": "object", "oneOf": [] }), "oneOf"),
            (json!({ "type": "object", "propertis": {} }), "`properties`"),
            (
                json!({ "type": "object", "required": ["x"] }),
                "no property",
            ),
            (
                json!({ "type": "object", "properties": { "a": { "type": "text" } } }),
                "no type",
            ),
            (
                json!({ "type": "object", "properties": { "a": { "minLength": -1 } } }),
                "from 0",
            ),
            (
                json!({ "type": "object", "properties": { "a": 1 } }),
                "a schema is a table",
            ),
        ] {
            let refused = check(&schema).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
    }
}
