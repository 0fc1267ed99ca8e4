//! Checks arguments against the very schema that the tool advertises.
//!
//! The schemas of this crate use a small part of JSON Schema 2020-12, which every client
//! understands: one top-level object, no `$ref`, no combinators, no type unions. This module
//! knows that part and nothing more; the test of the catalogue fails when a schema leaves it.

use serde_json::{Map, Value};

use crate::suggest::nearest;

/// Checks `arguments` against `schema` and returns them tidied: `null` stands for a value that
/// was left out, and `3.0` for the integer 3.
///
/// # Errors
/// What is wrong and how to mend it, as one sentence.
pub(crate) fn check_arguments(
    schema: &Map<String, Value>,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    check_object("", schema, &mut arguments)?;
    Ok(arguments)
}

/// Checks an object; `place` names it in messages, with a space after it, and is empty for the
/// arguments themselves.
fn check_object(
    place: &str,
    schema: &Map<String, Value>,
    object: &mut Map<String, Value>,
) -> Result<(), String> {
    object.retain(|_, value| !value.is_null());
    let properties = members(schema, "properties");
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    if let Some(unknown) = object.keys().find(|name| !properties.contains_key(*name)) {
        return Err(unknown_argument(place, unknown, &known));
    }
    for name in texts(schema, "required") {
        if !object.contains_key(name) {
            return Err(format!(
                "The argument {place}`{name}` is missing: {}",
                meaning(properties, name)
            ));
        }
    }
    for (name, value) in object {
        if let Some(property) = properties.get(name).and_then(Value::as_object) {
            check(&format!("{place}`{name}`"), property, value)?;
        }
    }
    Ok(())
}

fn unknown_argument(place: &str, unknown: &str, known: &[&str]) -> String {
    let shown = crate::budget::shorten(unknown, 60);
    let hint = nearest(unknown, known).map_or_else(
        || ".".to_owned(),
        |name| format!("; did you mean `{name}`?"),
    );
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "There is no argument {place}`{shown}`{hint} The arguments are {}.",
        known.join(", ")
    )
}

fn meaning(properties: &Map<String, Value>, name: &str) -> String {
    let described = properties
        .get(name)
        .and_then(|property| property.get("description"))
        .and_then(Value::as_str);
    described.map_or_else(
        || "give it.".to_owned(),
        |text| format!("{}.", text.trim_end_matches('.')),
    )
}

/// Checks one value; `place` names it in messages.
fn check(place: &str, schema: &Map<String, Value>, value: &mut Value) -> Result<(), String> {
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => check_text(place, schema, value),
        Some("integer") => check_integer(place, schema, value),
        Some("array") => check_list(place, schema, value),
        Some("object") => match value {
            Value::Object(object) => check_object(&format!("{place} "), schema, object),
            other => Err(format!("{place} must be an object, not {}.", sort(other))),
        },
        Some("boolean") if !value.is_boolean() => Err(format!(
            "{place} must be true or false, not {}.",
            sort(value)
        )),
        _ => Ok(()),
    }
}

fn check_text(place: &str, schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let Some(text) = value.as_str() else {
        return Err(format!("{place} must be text, not {}.", sort(value)));
    };
    let chars = text.chars().count();
    if let Some(max) = bound(schema, "maxLength").filter(|max| chars as u64 > *max) {
        return Err(format!(
            "{place} has {chars} characters and may have {max}; shorten it."
        ));
    }
    if bound(schema, "minLength").is_some_and(|min| min > 0) && text.trim().is_empty() {
        return Err(format!("{place} must not be empty."));
    }
    let choices: Vec<&str> = texts(schema, "enum").collect();
    if !choices.is_empty() && !choices.contains(&text) {
        return Err(format!("{place} must be one of {}.", choices.join(", ")));
    }
    Ok(())
}

fn check_integer(
    place: &str,
    schema: &Map<String, Value>,
    value: &mut Value,
) -> Result<(), String> {
    let min = bound(schema, "minimum").unwrap_or(0);
    let max = bound(schema, "maximum").unwrap_or(u64::MAX);
    let number = value.as_u64().or_else(|| whole(value));
    match number {
        Some(number) if (min..=max).contains(&number) => {
            *value = Value::from(number);
            Ok(())
        }
        _ if value.is_number() => Err(format!(
            "{place} must be a whole number from {min} to {max}."
        )),
        _ => Err(format!(
            "{place} must be a whole number from {min} to {max}, not {}.",
            sort(value)
        )),
    }
}

/// Returns the integer that a number such as `3.0` or `1e2` stands for.
fn whole(value: &Value) -> Option<u64> {
    /// Beyond this, neighbouring doubles are not one apart.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let number = value.as_f64()?;
    let is_whole = number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole, not negative and within the exact range"
    )]
    is_whole.then_some(number as u64)
}

fn check_list(place: &str, schema: &Map<String, Value>, value: &mut Value) -> Result<(), String> {
    if !value.is_array() {
        return Err(format!("{place} must be a list, not {}.", sort(value)));
    }
    let Some(items) = value.as_array_mut() else {
        return Ok(());
    };
    if let Some(max) = bound(schema, "maxItems").filter(|max| items.len() as u64 > *max) {
        return Err(format!(
            "{place} has {} entries and may have {max}.",
            items.len()
        ));
    }
    let inner = members(schema, "items");
    for item in items {
        check(&format!("each entry of {place}"), inner, item)?;
    }
    Ok(())
}

fn sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn bound(schema: &Map<String, Value>, key: &str) -> Option<u64> {
    schema.get(key).and_then(Value::as_u64)
}

fn texts<'a>(schema: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a str> {
    schema
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn members<'a>(schema: &'a Map<String, Value>, key: &str) -> &'a Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema.get(key).and_then(Value::as_object).unwrap_or(&EMPTY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(arguments: &Value, expected: Result<Value, &str>) {
        let schema = json!({
            "type": "object",
            "properties": {
                "query": { "type": "string", "description": "Words to find.", "minLength": 1, "maxLength": 5 },
                "tags": { "type": "array", "items": { "type": "string" }, "maxItems": 2 },
                "limit": { "type": "integer", "minimum": 1, "maximum": 50 },
                "way": { "type": "string", "enum": ["in", "out"] },
            },
            "required": ["query"],
            "additionalProperties": false,
        });
        let checked = check_arguments(
            schema.as_object().unwrap(),
            arguments.as_object().unwrap().clone(),
        );
        assert_eq!(
            checked.map(Value::Object),
            expected.map_err(str::to_owned),
            "{arguments}"
        );
    }

    #[test]
    fn arguments_that_fit_are_tidied() {
        check(
            &json!({ "query": "a", "limit": 3.0, "tags": null }),
            Ok(json!({ "query": "a", "limit": 3 })),
        );
        check(
            &json!({ "query": "漢字漢字漢", "tags": ["x"], "way": "in" }),
            Ok(json!({ "query": "漢字漢字漢", "tags": ["x"], "way": "in" })),
        );
    }

    #[test]
    fn each_fault_names_the_argument_and_the_cure() {
        check(
            &json!({ "q": "a" }),
            Err(
                "There is no argument `q`; did you mean `query`? The arguments are `query`, `tags`, `limit`, `way`.",
            ),
        );
        check(
            &json!({ "query": "a", "zzzzzzz": 1 }),
            Err(
                "There is no argument `zzzzzzz`. The arguments are `query`, `tags`, `limit`, `way`.",
            ),
        );
        check(
            &json!({}),
            Err("The argument `query` is missing: Words to find."),
        );
        check(
            &json!({ "query": null }),
            Err("The argument `query` is missing: Words to find."),
        );
        check(
            &json!({ "query": " \n" }),
            Err("`query` must not be empty."),
        );
        check(
            &json!({ "query": 5 }),
            Err("`query` must be text, not a number."),
        );
        check(
            &json!({ "query": "abcdef" }),
            Err("`query` has 6 characters and may have 5; shorten it."),
        );
        check(
            &json!({ "query": "a", "limit": "5" }),
            Err("`limit` must be a whole number from 1 to 50, not text."),
        );
        for limit in [json!(0), json!(51), json!(1.5), json!(-1), json!(1e300)] {
            check(
                &json!({ "query": "a", "limit": limit }),
                Err("`limit` must be a whole number from 1 to 50."),
            );
        }
        check(
            &json!({ "query": "a", "tags": "x" }),
            Err("`tags` must be a list, not text."),
        );
        check(
            &json!({ "query": "a", "tags": ["x", "y", "z"] }),
            Err("`tags` has 3 entries and may have 2."),
        );
        check(
            &json!({ "query": "a", "tags": ["x", {}] }),
            Err("each entry of `tags` must be text, not an object."),
        );
        check(
            &json!({ "query": "a", "way": "up" }),
            Err("`way` must be one of in, out."),
        );
    }
}
