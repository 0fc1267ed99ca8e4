//! What a setting means, read from the comments of the list of defaults.

/// Returns the comment that stands above the setting at `path`; empty when there is none.
pub(super) fn of(path: &str) -> String {
    let mut section = String::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in super::DEFAULTS.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            comment.clear();
        } else if let Some(key) = key_of(line) {
            if format!("{section}.{key}") == path {
                return comment.join(" ");
            }
            comment.clear();
        } else if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else {
            comment.clear();
        }
    }
    String::new()
}

/// The key that a line sets, or would set: one without a default is shown as a comment.
fn key_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix('#').map_or(line, str::trim_start);
    let (key, _) = line.split_once(" = ")?;
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    key.chars().all(is_key).then_some(key)
}
