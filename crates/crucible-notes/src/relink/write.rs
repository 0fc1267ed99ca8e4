//! Writes a target in the notation of the place where it goes.

use std::fmt::Write as _;

use super::Notation;
use crate::body::link::has_scheme;

/// Returns how `new` is written in the place of `old`; `None` when the notation cannot hold it.
pub(super) fn target(notation: Notation, old: &str, new: &str) -> Option<String> {
    match notation {
        Notation::Wiki => is_wiki(new).then(|| new.to_owned()),
        Notation::Property => {
            (is_wiki(new) && !new.contains(['"', '\'', '\\'])).then(|| new.to_owned())
        }
        Notation::Angle => Some(encoded(new, |c| matches!(c, '<' | '>' | '\\'), old)),
        Notation::Bare => Some(encoded(
            new,
            |c| matches!(c, '<' | '>' | '\\' | '(' | ')' | ' ' | '"' | '&'),
            old,
        )),
    }
}

fn is_wiki(target: &str) -> bool {
    !target.contains(['[', ']', '|', '#', '^', '\n', '\r']) && !target.contains("%%")
}

/// Percent-encodes what a destination cannot hold; other scripts only if `old` did so too.
fn encoded(new: &str, is_special: impl Fn(char) -> bool, old: &str) -> String {
    let ascii_only = is_encoded(old);
    let mut written = String::with_capacity(new.len() + 8);
    if has_scheme(new) {
        written.push_str("./");
    }
    for c in new.chars() {
        let plain = match c {
            '#' | '?' | '%' => false,
            c if c.is_control() || c.is_whitespace() && c != ' ' => false,
            c if c.is_ascii() => !is_special(c),
            _ => !ascii_only,
        };
        if plain {
            written.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a `String` cannot fail.
            let _ = write!(written, "%{byte:02X}");
        }
    }
    written
}

/// Says whether bytes above ASCII are percent-encoded in `old`.
fn is_encoded(old: &str) -> bool {
    old.split('%').skip(1).any(|after| {
        after
            .bytes()
            .next()
            .is_some_and(|digit| matches!(digit, b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_encoded_as_the_old_one_was() {
        for (old, new, expected) in [
            ("a.md", "ä b.md", "ä%20b.md"),
            ("%C3%A4.md", "ä b.md", "%C3%A4%20b.md"),
            ("a%20b.md", "é.md", "é.md"),
            ("a.md", "50%.md", "50%25.md"),
            ("a.md", "c#?.md", "c%23%3F.md"),
            ("a.md", "x:y.md", "./x:y.md"),
        ] {
            assert_eq!(target(Notation::Bare, old, new).as_deref(), Some(expected));
        }
        let angle = target(Notation::Angle, "a b.md", "c <d> (e).md");
        assert_eq!(angle.as_deref(), Some("c %3Cd%3E (e).md"));
    }
}
