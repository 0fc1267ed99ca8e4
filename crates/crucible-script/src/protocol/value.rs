//! How deep values may nest, so that no end walks them with more stack than it has.

use serde_json::Value;

/// How deep lists and objects may nest in arguments, values and host calls.
pub const VALUE_DEPTH_MAX: usize = 64;

/// Returns whether lists and objects nest deeper than [`VALUE_DEPTH_MAX`].
#[must_use]
pub fn is_too_deep(value: &Value) -> bool {
    deeper_than(value, VALUE_DEPTH_MAX)
}

fn deeper_than(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| deeper_than(item, left - 1)),
        Value::Object(fields) => {
            left == 0 || fields.values().any(|field| deeper_than(field, left - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        assert!(!is_too_deep(&nested(VALUE_DEPTH_MAX)));
        assert!(is_too_deep(&nested(VALUE_DEPTH_MAX + 1)));
    }
}
