//! What a Markdown link points at.

use std::borrow::Cow;

use crate::names::{LinkParts, split_target};

/// Returns the parts of a destination within the vault; `None` for the web and other schemes.
pub(crate) fn local(destination: &str) -> Option<LinkParts> {
    let destination = destination.trim();
    if destination.starts_with("//") || has_scheme(destination) {
        return None;
    }
    // A file name with a real `?` or `#` has it percent-encoded.
    let (path, fragment) = match destination.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (destination, None),
    };
    let path = path.split('?').next().unwrap_or(path);
    let fragment = fragment.map(|fragment| format!("#{}", decode(fragment)));
    let parts = LinkParts {
        path: decode(path).trim().to_owned(),
        ..split_target(fragment.as_deref().unwrap_or_default())
    };
    (!parts.is_empty()).then_some(parts)
}

/// Whether it opens with `scheme:` (RFC 3986, section 3.1).
pub(crate) fn has_scheme(destination: &str) -> bool {
    let Some((scheme, _)) = destination.split_once(':') else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Replaces `%20` and the like; text whose escapes are no UTF-8 is left as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_split_and_decode() {
        for (destination, path, heading) in [
            ("a.md", "a.md", ""),
            ("a%20b.md#C%20d", "a b.md", "C d"),
            ("caf%C3%A9.md", "café.md", ""),
            ("caf%E9.md", "caf%E9.md", ""),
            ("a%23b.md", "a#b.md", ""),
            ("100%.md", "100%.md", ""),
            ("#c", "", "c"),
            ("a.md?raw=true#c", "a.md", "c"),
            ("../x/a.md", "../x/a.md", ""),
            ("/x/a", "/x/a", ""),
            ("a b: c.md", "a b: c.md", ""),
        ] {
            let parts = local(destination).expect(destination);
            assert_eq!(
                (parts.path.as_str(), parts.headings.join(">").as_str()),
                (path, heading)
            );
        }
        assert_eq!(
            local("a.md#%5Eid").and_then(|parts| parts.block).as_deref(),
            Some("id")
        );
    }

    #[test]
    fn the_web_is_not_the_vault() {
        for destination in [
            "https://a.example/b.md",
            "mailto:a@b.example",
            "//a/b",
            "",
            "#",
            "obsidian://x",
        ] {
            assert_eq!(local(destination), None, "{destination}");
        }
    }
}
