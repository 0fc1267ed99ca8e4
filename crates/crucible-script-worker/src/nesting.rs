//! How deep brackets nest in a source, found without recursion: the compiler walks them with its
//! own stack, and what is nested too deep would end the process.

/// How deep brackets may nest.
pub(crate) const NESTING_MAX: usize = 256;

/// Returns the byte offset at which brackets nest deeper than [`NESTING_MAX`].
///
/// Strings, characters and comments do not count; what stands in the `${}` of a template does.
pub(crate) fn too_deep_at(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    // What closes the innermost bracket, template expressions included.
    let mut open: Vec<u8> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = after_string(bytes, at + 1),
            b'\'' => at = after_character(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => at = after_line(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at = after_comment(bytes, at + 2),
            b'`' => at = in_template(bytes, at + 1, &mut open),
            b'(' | b'[' | b'{' => {
                open.push(byte);
                at += 1;
            }
            b'}' if open.last() == Some(&b'$') => {
                open.pop();
                at = in_template(bytes, at + 1, &mut open);
            }
            b')' | b']' | b'}' => {
                if open.last().is_some_and(|last| *last != b'$') {
                    open.pop();
                }
                at += 1;
            }
            _ => at += 1,
        }
        if open.len() > NESTING_MAX {
            return Some(at.saturating_sub(1));
        }
    }
    None
}

fn after_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// A quote begins a character or a loop's label.
fn after_character(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        let rest = bytes.get(at + 3..).unwrap_or_default();
        let closing = rest.iter().take(12).position(|byte| *byte == b'\'');
        return closing.map_or(at + 1, |closing| at + 4 + closing);
    }
    let length = match bytes.get(at + 1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if bytes.get(at + 1 + length) == Some(&b'\'') {
        at + 2 + length
    } else {
        at + 1
    }
}

fn after_line(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let end = rest.iter().position(|byte| *byte == b'\n');
    end.map_or(bytes.len(), |end| at + end)
}

fn after_comment(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if bytes[at..].starts_with(b"*/") {
            return at + 2;
        }
        at += 1;
    }
    at
}

/// Goes on inside a template: to its end, or into an expression.
fn in_template(bytes: &[u8], mut at: usize, open: &mut Vec<u8>) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'`' => return at + 1,
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                open.push(b'$');
                return at + 2;
            }
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize, open: &str, close: &str) -> String {
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    }

    #[test]
    fn brackets_count_up_to_the_limit() {
        assert_eq!(too_deep_at(&nested(NESTING_MAX, "(", ")")), None);
        let found = too_deep_at(&nested(NESTING_MAX + 1, "[", "]"));
        assert_eq!(found, Some(NESTING_MAX));
        assert!(too_deep_at(&"{".repeat(100_000)).is_some());
    }

    #[test]
    fn strings_characters_and_comments_do_not_count() {
        let brackets = "(".repeat(500);
        for source in [
            format!("\"{brackets}\\\"{brackets}\""),
            format!("// {brackets}\n"),
            format!("/* {brackets} */"),
            format!("`{brackets}`"),
            "'(' 'ü' '(' ".repeat(500),
            "'\\'' '\\u{28}' ".repeat(500),
        ] {
            assert_eq!(too_deep_at(&source), None, "{source:.40}");
        }
    }

    #[test]
    fn expressions_in_templates_count() {
        let source = nested(NESTING_MAX + 1, "`${(", ")}`");
        assert!(too_deep_at(&source).is_some());
        let many = "`a${(1)}b${2}` ".repeat(500);
        assert_eq!(too_deep_at(&many), None);
    }

    #[test]
    fn labels_hide_nothing() {
        let source = format!("'outer: loop {{ {} }}", nested(NESTING_MAX, "(", ")"));
        assert!(too_deep_at(&source).is_some());
    }
}
