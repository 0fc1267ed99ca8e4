//! Fields of a request that are not offered here.
//!
//! A field that only hints at something is ignored. One that would change the answer is taken when
//! it asks for what is done anyway, and refused otherwise; so is one that nobody knows.

use serde_json::{Map, Value, json};

use crate::error::{ApiError, Code};

/// Fields that change nothing in the answer, or nothing that is promised.
const HINTS: [&str; 12] = [
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "user",
    "verbosity",
    "prediction",
];

/// Checks the fields that a request has beyond those that are read.
pub(super) fn check(rest: &Map<String, Value>) -> Result<(), ApiError> {
    for (name, value) in rest {
        if value.is_null() || HINTS.contains(&name.as_str()) {
            continue;
        }
        let Some(is_neutral) = neutral(name, value) else {
            let message = format!("Unrecognized request argument supplied: {name}");
            return Err(invalid(name, message));
        };
        if !is_neutral {
            let message = format!("{name} is not offered here; leave it out");
            return Err(invalid(name, message));
        }
    }
    Ok(())
}

/// Says that a field cannot be as it is.
pub(super) fn invalid(field: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(Code::InvalidBody, message).named(field, Vec::new())
}

/// Says whether a known field asks for what is done anyway; `None` for one that nobody knows.
fn neutral(name: &str, value: &Value) -> Option<bool> {
    let number = value.as_f64();
    Some(match name {
        "n" | "top_p" => number == Some(1.0),
        "presence_penalty" | "frequency_penalty" | "top_logprobs" => number == Some(0.0),
        "logprobs" => *value == json!(false),
        "tools" | "functions" => *value == json!([]),
        "tool_choice" | "function_call" => *value == json!("none") || *value == json!("auto"),
        "response_format" => value["type"] == "text",
        "logit_bias" => *value == json!({}),
        "modalities" => *value == json!(["text"]),
        "audio" | "web_search_options" => false,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rest: Value) -> Option<String> {
        let Value::Object(rest) = rest else {
            panic!("not an object");
        };
        check(&rest)
            .err()
            .and_then(|error| error.detail().reference.clone())
    }

    #[test]
    fn what_is_done_anyway_and_what_only_hints_is_taken() {
        let rest = json!({
            "n": 1, "top_p": 1, "presence_penalty": 0.0, "logprobs": false, "tools": [],
            "tool_choice": "auto", "response_format": { "type": "text" }, "logit_bias": {},
            "user": "me", "seed": 7, "store": false, "audio": null, "modalities": ["text"],
        });
        assert_eq!(refused(rest), None);
    }

    #[test]
    fn what_would_change_the_answer_is_refused_by_name() {
        for (name, value) in [
            ("n", json!(2)),
            ("top_p", json!(0.5)),
            ("tools", json!([{ "type": "function" }])),
            ("response_format", json!({ "type": "json_object" })),
            ("logprobs", json!(true)),
            ("audio", json!({})),
            ("temprature", json!(1)),
        ] {
            let mut rest = Map::new();
            rest.insert(name.to_owned(), value);
            assert_eq!(refused(rest.into()).as_deref(), Some(name));
        }
    }
}
