//! Whether a value is what a schema says: the part of JSON Schema that the tools use, written
//! here a second time so that a slip in the crate does not hide itself.

use serde_json::Value;

/// Fails when `value` does not fit `schema`.
pub(crate) fn assert_conforms(place: &str, schema: &Value, value: &Value) {
    match schema["type"].as_str() {
        Some("object") => {
            let object = value
                .as_object()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(
                    object.contains_key(name.as_str().unwrap()),
                    "{place} lacks {name}"
                );
            }
            for (name, inner) in object {
                let property = &schema["properties"][name];
                assert!(
                    property.is_object(),
                    "{place} has {name}, of which the schema says nothing"
                );
                assert_conforms(&format!("{place}.{name}"), property, inner);
            }
        }
        Some("array") => {
            let list = value
                .as_array()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            for item in list {
                assert_conforms(&format!("{place}[]"), &schema["items"], item);
            }
        }
        Some("string") => assert!(value.is_string(), "{place}: {value}"),
        Some("integer") => assert!(value.is_u64() || value.is_i64(), "{place}: {value}"),
        Some("number") => assert!(value.is_number(), "{place}: {value}"),
        Some("boolean") => assert!(value.is_boolean(), "{place}: {value}"),
        other => panic!("{place}: a type that no schema here has: {other:?}"),
    }
}
