//! Takes out of an output what differs from run to run.

use serde_json::Value;

use super::Place;

/// Fields of JSON that differ from run to run.
const FIELDS: [&str; 10] = [
    "took_us",
    "modified_ms",
    "index_size_bytes",
    "pid",
    "api",
    "score",
    "bm25",
    "version",
    "vault",
    "index",
];

/// Replaces the place's paths, ports, process numbers, sizes and times by their names.
pub(crate) fn text(place: &Place, output: &str) -> String {
    let lines = output.lines().map(|line| {
        let line = line
            .replace(&place.vault().display().to_string(), "[VAULT]")
            .replace(&place.data().display().to_string(), "[DATA]");
        let line = after(&line, "[DATA]/vaults/", "[HOME]", |c| c != '/');
        let line = after(&line, "http://127.0.0.1:", "[PORT]", |c| c.is_ascii_digit());
        let line = after(&line, "/login?code=", "[CODE]", |c| !c.is_whitespace());
        let line = after(&line, "process ", "[PID]", |c| c.is_ascii_digit());
        let line = after(&line, "ready in   ", "[SECONDS] s", |c| c != ',');
        after(&line, "      size  ", "[SIZE]", |_| true)
    });
    lines
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Replaces the fields that differ from run to run, at every depth.
pub(crate) fn json(mut value: Value) -> Value {
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if FIELDS.contains(&name.as_str()) && !value.is_null() {
                    *value = format!("[{name}]").into();
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// Replaces what follows `mark` for as long as `belongs` accepts it.
fn after(line: &str, mark: &str, name: &str, belongs: impl Fn(char) -> bool) -> String {
    let Some((before, rest)) = line.split_once(mark) else {
        return line.to_owned();
    };
    let kept = rest.trim_start_matches(belongs);
    format!("{before}{mark}{name}{kept}")
}
