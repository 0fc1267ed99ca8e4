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
    match keyword {
        "$ref" => {
            let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
            check(DESCRIPTION.pointer(pointer).unwrap(), value, at)
        }
        "properties" | "required" | "additionalProperties" => {
            check_fields(keyword, rule, all, value, at)
        }
        "items" | "prefixItems" => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                let schema = rule.get(index).unwrap_or(rule);
                check(schema, item, &format!("{at}/{index}"))?;
            }
            Ok(())
        }
        "oneOf" | "anyOf" | "allOf" => check_choice(keyword, rule, value, at),
        _ => check_value(keyword, rule, value).map_err(|fault| format!("{at}: {fault}")),
    }
}

fn check_fields(
    keyword: &str,
    rule: &'static Value,
    all: &'static Map<String, Value>,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let fields = value.as_object().into_iter().flatten();
    if keyword == "required" {
        let mut names = rule
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap());
        return match names.find(|name| value.get(name).is_none()) {
            Some(name) => Err(format!("{at}: {name} is missing")),
            None => Ok(()),
        };
    }
    let known = all.get("properties").and_then(Value::as_object);
    for (name, field) in fields {
        let own = known.and_then(|known| known.get(name));
        let schema = if keyword == "properties" {
            own
        } else {
            own.is_none().then_some(rule)
        };
        if let Some(schema) = schema {
            check(schema, field, &format!("{at}/{name}"))?;
        }
    }
    Ok(())
}

fn check_choice(
    keyword: &str,
    rule: &'static Value,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let schemas = rule.as_array().unwrap();
    let outcomes: Vec<_> = schemas
        .iter()
        .map(|schema| check(schema, value, at))
        .collect();
    let fitting = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let holds = match keyword {
        "oneOf" => fitting == 1,
        "anyOf" => fitting > 0,
        _ => fitting == schemas.len(),
    };
    if holds {
        Ok(())
    } else {
        Err(format!("{at}: {fitting} of {keyword} fit: {outcomes:?}"))
    }
}

fn check_value(keyword: &str, rule: &Value, value: &Value) -> Result<(), String> {
    let count = value.as_array().map(|items| items.len() as f64);
    let holds = match keyword {
        "type" => match rule {
            Value::String(name) => is(name, value),
            names => names
                .as_array()
                .unwrap()
                .iter()
                .any(|n| is(n.as_str().unwrap(), value)),
        },
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "minimum" => value.as_f64() >= rule.as_f64(),
        "maximum" => value.as_f64() <= rule.as_f64(),
        "minItems" => count >= rule.as_f64(),
        "maxItems" => count <= rule.as_f64(),
        "title" | "description" | "format" | "default" | "contentEncoding" | "uniqueItems" => true,
        other => panic!("the keyword {other} is not known to this check"),
    };
    if holds {
        Ok(())
    } else {
        Err(format!("{value} does not fit {keyword} {rule}"))
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
