//! Notes as URIs: `crucible://note/` and the path, percent-encoded (RFC 3986, section 2.1).

use std::fmt::Write as _;

const PREFIX: &str = "crucible://note/";

/// The form of all URIs (RFC 6570).
pub(crate) const TEMPLATE: &str = "crucible://note/{+path}";

/// Returns the URI of the note at `path`.
pub(crate) fn of(path: &str) -> String {
    let mut uri = String::with_capacity(PREFIX.len() + path.len() + 8);
    uri.push_str(PREFIX);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            uri.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// Returns the path that a URI names; `None` when it names no note.
pub(crate) fn path_of(uri: &str) -> Option<String> {
    let encoded = uri.strip_prefix(PREFIX).filter(|rest| !rest.is_empty())?;
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let [high, low, after @ ..] = tail else {
            return None;
        };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_comes_back_from_its_uri() {
        for path in [
            "a.md",
            "Projects/My Garden.md",
            "é/🦀 #1%20.md",
            "a?b&c=+d.md",
        ] {
            assert_eq!(path_of(&of(path)).as_deref(), Some(path));
        }
        assert_eq!(of("a b/ü.md"), "crucible://note/a%20b/%C3%BC.md");
        assert_eq!(
            path_of("crucible://note/a%2Fb.md").as_deref(),
            Some("a/b.md")
        );
    }

    #[test]
    fn other_uris_name_no_note() {
        for uri in [
            "",
            "file:///a.md",
            "crucible://note/",
            "crucible://note/%",
            "crucible://note/%zz",
            "crucible://note/%ff",
        ] {
            assert_eq!(path_of(uri), None, "{uri}");
        }
    }
}
