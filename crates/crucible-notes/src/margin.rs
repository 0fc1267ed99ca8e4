//! What stands before the text of a line: indents, quote marks and list marks.

use memchr::memchr;

/// Longest run of quote marks, list marks and indents before a line, in bytes. The parser visits
/// every open container on every line, so without a bound some notes would take minutes.
const INDENT_MAX_BYTES: usize = 400;

/// Finds the lines that nest too deep, and in each the place where that begins.
pub(crate) fn deep_lines(bytes: &[u8], from: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = from;
    while at < bytes.len() {
        let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |feed| at + feed);
        let deep = at + INDENT_MAX_BYTES;
        if deep < end && content_start(bytes, at, end.min(deep + 16)).0 > deep {
            found.push(deep);
        }
        at = end + 1;
    }
    found
}

/// Steps over indents, quote marks and list markers; tells whether there was a quote mark.
pub(crate) fn content_start(bytes: &[u8], at: usize, end: usize) -> (usize, bool) {
    let mut content = at;
    let mut quoted = false;
    while content < end {
        let step = match &bytes[content..end] {
            [b' ' | b'\t', ..] => 1,
            [b'>', ..] => {
                quoted = true;
                1
            }
            [b'-' | b'*' | b'+', b' ' | b'\t', ..] => 2,
            rest => match rest
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .take(10)
                .count()
            {
                digits @ 1..=9 if is_ordinal(&rest[digits..]) => digits + 2,
                _ => break,
            },
        };
        content += step;
    }
    (content.min(end), quoted)
}

fn is_ordinal(after_digits: &[u8]) -> bool {
    matches!(after_digits, [b'.' | b')', b' ' | b'\t', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_begins_after_all_marks() {
        for (line, content, quoted) in [
            ("> - 12. a", "a", true),
            ("\t* [ ] a", "[ ] a", false),
            ("-a", "-a", false),
            ("1.a", "1.a", false),
            (">>", "", true),
            ("1234567890. a", "1234567890. a", false),
        ] {
            let (at, found) = content_start(line.as_bytes(), 0, line.len());
            assert_eq!((&line[at..], found), (content, quoted), "{line}");
        }
    }

    #[test]
    fn only_nesting_beyond_reason_is_deep() {
        let deep = "a\n".to_owned() + &"> ".repeat(300) + "\n" + &"- ".repeat(300);
        assert_eq!(deep_lines(deep.as_bytes(), 0), [402, 1003]);
        for shallow in [
            "> ".repeat(199) + &"word ".repeat(100),
            "-".repeat(900),
            "x ".repeat(900),
        ] {
            assert!(deep_lines(shallow.as_bytes(), 0).is_empty());
        }
    }
}
