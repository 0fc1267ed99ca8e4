//! Block identifiers: `^id` at the end of a block.

use super::leaf::{Kind, Leaf};

/// Longest identifier, in bytes.
const ID_MAX_BYTES: usize = 256;

/// An identifier and how it stands there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Without `^`.
    pub(super) id: String,
    /// Whether nothing stands before it on its line, not even a quote mark.
    pub(super) starts_line: bool,
}

/// Returns the identifier that the leaf ends with.
pub(super) fn at_end(text: &str, leaf: &Leaf) -> Option<Mark> {
    let start = match leaf.kind {
        Kind::Verbatim => return None,
        // Without a blank line between, the parser takes the identifier for a row.
        Kind::Table => leaf.row?.0,
        Kind::Paragraph | Kind::Heading(_) | Kind::Item => leaf.content,
    };
    let last = text.get(start..leaf.span.end)?;
    let (before, id) = split_id(last)?;
    if leaf.kind == Kind::Table && !before.trim().is_empty() {
        return None;
    }
    // A mark in code or math ends with that; text that lost it was never text.
    if !leaf.text.trim_end().ends_with(&last[before.len()..]) {
        return None;
    }
    let line_start = text[..start + before.len()].ends_with('\n');
    Some(Mark {
        id: id.to_owned(),
        starts_line: line_start,
    })
}

/// Splits `text ^id` before the `^` and after it.
fn split_id(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let is_id = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
    let length = bytes
        .iter()
        .rev()
        .take(ID_MAX_BYTES + 1)
        .take_while(is_id)
        .count();
    let before = text[..text.len() - length].strip_suffix('^')?;
    let apart = before.is_empty() || before.ends_with(char::is_whitespace);
    (apart && (1..=ID_MAX_BYTES).contains(&length)).then(|| (before, &text[text.len() - length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_stand_apart_at_the_very_end() {
        for (text, id) in [
            ("words ^id-1", Some("id-1")),
            ("^id", Some("id")),
            ("words\n^id", Some("id")),
            ("words^id", None),
            ("words ^id more", None),
            ("words ^", None),
            ("words ^i_d", None),
            ("words \\^id", None),
            ("x^2", None),
            ("", None),
        ] {
            assert_eq!(split_id(text).map(|(_, id)| id), id, "{text:?}");
        }
    }
}
