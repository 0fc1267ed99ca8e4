//! Percent-encoding of what goes into a URL (RFC 3986, section 2).

/// Appends `text` so that it is one path segment or one query value, whatever it holds.
///
/// Only unreserved characters stay as they are.
pub(crate) fn push(url: &mut String, text: &str) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            push_byte(url, byte);
        }
    }
}

/// Appends a vault path: as [`push`], but `/` stays, so that people can read the address.
///
/// An empty, `.` or `..` segment could be folded away on the way; such a path keeps its slashes
/// encoded.
pub(crate) fn push_path(url: &mut String, path: &str) {
    if path.split('/').any(|s| matches!(s, "" | "." | "..")) {
        push(url, path);
        return;
    }
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            url.push('/');
        }
        push(url, segment);
    }
}

fn push_byte(url: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    url.push('%');
    url.push(char::from(DIGITS[usize::from(byte >> 4)]));
    url.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, whole: &str, path: &str) {
        let (mut as_whole, mut as_path) = (String::new(), String::new());
        push(&mut as_whole, text);
        push_path(&mut as_path, text);
        assert_eq!((as_whole.as_str(), as_path.as_str()), (whole, path));
    }

    #[test]
    fn reserved_characters_are_encoded() {
        check("a/b.md", "a%2Fb.md", "a/b.md");
        check(
            " #?%&+\n\0",
            "%20%23%3F%25%26%2B%0A%00",
            "%20%23%3F%25%26%2B%0A%00",
        );
        check("🥖", "%F0%9F%A5%96", "%F0%9F%A5%96");
        check("/a//b", "%2Fa%2F%2Fb", "%2Fa%2F%2Fb");
        check("../b", "..%2Fb", "..%2Fb");
    }
}
