//! What the tools' answers have in common: names, dates, folders, tags.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::budget::shorten;

/// How many characters of a title an answer shows.
const TITLE_CHARS_MAX: usize = 200;
/// How many tags or aliases of a note an answer shows.
const LABELS_MAX: usize = 20;
/// How many characters of a tag or alias an answer shows.
const LABEL_CHARS_MAX: usize = 80;

/// The longest reference that an argument may have, in characters.
pub(super) const REF_CHARS_MAX: usize = 1024;

/// Returns a title that fits into an answer.
pub(super) fn title(title: &str) -> String {
    shorten(title, TITLE_CHARS_MAX)
}

/// Returns tags or aliases that fit into an answer.
pub(super) fn labels(labels: &[String]) -> Vec<String> {
    labels
        .iter()
        .take(LABELS_MAX)
        .map(|label| shorten(label, LABEL_CHARS_MAX))
        .collect()
}

/// Returns a folder as the store knows it; `None` for the whole vault.
pub(super) fn folder(written: Option<String>) -> Option<String> {
    let written = written?;
    let folder = written.trim().trim_start_matches("./").trim_matches('/');
    (!matches!(folder, "" | ".")).then(|| folder.to_owned())
}

/// Returns a tag as the store knows it; `None` when nothing is left of it.
pub(super) fn tag(written: &str) -> Option<String> {
    let tag = written.trim().trim_start_matches('#').trim_matches('/');
    (!tag.is_empty()).then(|| tag.to_owned())
}

/// Returns a time as RFC 3339; nothing for a time that no calendar knows.
pub(super) fn time(unix_ms: i64) -> Option<String> {
    let second = Timestamp::from_second(unix_ms.div_euclid(1000)).ok()?;
    Some(second.to_string())
}

/// Schema of a text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// Schema of a count or a line number.
pub(super) fn count() -> Value {
    json!({ "type": "integer" })
}

/// Schema of a list of texts.
pub(super) fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}

/// Schema of an object; the properties named in `required` are always there.
pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    let entries = [
        ("type", Value::from("object")),
        ("properties", properties),
        ("required", Value::from(required)),
        ("additionalProperties", Value::from(false)),
    ];
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect::<Map<_, _>>()
        .into()
}

/// Schema of a list of objects.
pub(super) fn objects(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "array", "items": object(properties, required) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_tags_are_taken_as_people_write_them() {
        let check = |written: &str, expected: Option<&str>| {
            assert_eq!(
                folder(Some(written.to_owned())).as_deref(),
                expected,
                "{written}"
            );
        };
        check("/Projects/2026/", Some("Projects/2026"));
        check("./Projects", Some("Projects"));
        check("/", None);
        check(".", None);
        assert_eq!(tag("#area/home/").as_deref(), Some("area/home"));
        assert_eq!(tag(" # "), None);
    }

    #[test]
    fn impossible_times_are_left_out() {
        assert_eq!(
            time(1_700_000_000_123).as_deref(),
            Some("2023-11-14T22:13:20Z")
        );
        assert_eq!(time(i64::MAX), None);
        assert_eq!(time(-1).as_deref(), Some("1969-12-31T23:59:59Z"));
    }
}
