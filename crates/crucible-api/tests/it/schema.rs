//! Holds answers against the description of the API. Knows the keywords that the description uses
//! and fails on any other, so that nothing goes unchecked.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The description as it is committed; a test holds it against the one that is served.
pub(crate) static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap());

/// Says what is wrong with an answer, if the description knows the address.
pub(crate) fn check_answer(method: &str, path: &str, status: u16, body: &Value) {
    let Some(operation) = operation(method, path) else {
        return;
    };
    let responses = &operation["responses"];
    let response = match &responses[status.to_string()] {
        Value::Null if status == 503 && path.ends_with("ready") => &responses["200"],
        Value::Null if path == "/readyz" => &responses["200"],
        Value::Null => &responses["default"],
        known => known,
    };
    let schema = &resolve(response)["content"]["application/json"]["schema"];
    assert!(
        !schema.is_null(),
        "{method} {path} {status} is not described"
    );
    if let Err(fault) = check(schema, body, "") {
        panic!("{method} {path} {status}: {fault}\n{body:#}");
    }
}

/// Finds what the description says about a request.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = DESCRIPTION["paths"].as_object()?;
    let (_, methods) = paths.iter().find(|(template, _)| fits(template, path))?;
    let operation = &methods[method.to_ascii_lowercase()];
    (!operation.is_null()).then_some(operation)
}

fn fits(template: &str, path: &str) -> bool {
    let mut given = path.split('/');
    let mut parts = template.split('/').peekable();
    while let Some(part) = parts.next() {
        let Some(segment) = given.next() else {
            return false;
        };
        if part == "{reference}" && parts.peek().is_none() {
            return true;
        }
        if !part.starts_with('{') && part != segment {
            return false;
        }
    }
    given.next().is_none()
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DESCRIPTION
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap(),
        None => value,
    }
}

fn check(schema: &'static Value, value: &Value, at: &str) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return match schema {
            Value::Bool(true) => Ok(()),
            _ => Err(format!("{at}: nothing is allowed here")),
        };
    };
    for (keyword, rule) in keywords {
        check_keyword(keyword, rule, keywords, value, at)?;
    }
    Ok(())
}

fn check_keyword(
    keyword: &str,
    rule: &'static Value,
    all: &'static Map<String, Value>,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let fault = |what: String| Err(format!("{at}: {what}"));
    match keyword {
        "$ref" => {
            let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
            check(DESCRIPTION.pointer(pointer).unwrap(), value, at)
        }
        "type" => {
            let names: Vec<&str> = match rule {
                Value::String(name) => vec![name],
                other => other
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|n| n.as_str().unwrap())
                    .collect(),
            };
            if names.iter().any(|name| is(name, value)) {
                Ok(())
            } else {
                fault(format!("{value} is none of {names:?}"))
            }
        }
        "const" if rule != value => fault(format!("{value} is not {rule}")),
        "enum" if !rule.as_array().unwrap().contains(value) => {
            fault(format!("{value} is none of {rule}"))
        }
        "properties" => {
            for (name, schema) in rule.as_object().unwrap() {
                if let Some(field) = value.get(name) {
                    check(schema, field, &format!("{at}/{name}"))?;
                }
            }
            Ok(())
        }
        "required" => {
            for name in rule.as_array().unwrap() {
                if value.get(name.as_str().unwrap()).is_none() {
                    return fault(format!("{name} is missing"));
                }
            }
            Ok(())
        }
        "additionalProperties" => {
            let known = all.get("properties").and_then(Value::as_object);
            let fields = value.as_object().into_iter().flatten();
            for (name, field) in
                fields.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)))
            {
                check(rule, field, &format!("{at}/{name}"))?;
            }
            Ok(())
        }
        "items" | "prefixItems" => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                let schema = rule.get(index).unwrap_or(rule);
                check(schema, item, &format!("{at}/{index}"))?;
            }
            Ok(())
        }
        "maxItems" | "minItems" => {
            let count = u64::try_from(value.as_array().map_or(0, Vec::len)).unwrap();
            let bound = rule.as_u64().unwrap();
            let holds = if keyword == "maxItems" {
                count <= bound
            } else {
                count >= bound
            };
            if holds {
                Ok(())
            } else {
                fault(format!("{count} items"))
            }
        }
        "oneOf" | "anyOf" => {
            let outcomes: Vec<_> = rule
                .as_array()
                .unwrap()
                .iter()
                .map(|schema| check(schema, value, at))
                .collect();
            let fitting = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            if fitting == 1 || (fitting > 1 && keyword == "anyOf") {
                Ok(())
            } else {
                fault(format!("{fitting} of {keyword} fit: {outcomes:?}"))
            }
        }
        "allOf" => rule
            .as_array()
            .unwrap()
            .iter()
            .try_for_each(|schema| check(schema, value, at)),
        "minimum" if value.as_f64() < rule.as_f64() => fault(format!("{value} is too small")),
        "maximum" if value.as_f64() > rule.as_f64() => fault(format!("{value} is too large")),
        "const" | "enum" | "minimum" | "maximum" | "title" | "description" | "format"
        | "default" | "contentEncoding" | "uniqueItems" => Ok(()),
        other => fault(format!("the keyword {other} is not known to this check")),
    }
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is not a type"),
    }
}
