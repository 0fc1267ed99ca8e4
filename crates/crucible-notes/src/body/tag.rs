//! Which characters make a tag.

use std::ops::Range;

/// Longest name of a tag, in bytes; a longer word is none.
const NAME_MAX_BYTES: usize = 512;

/// How far back a web address is looked for, in bytes.
const ADDRESS_MAX_BYTES: usize = 256;

/// Tells whether `name` (without `#`) can be a tag: letters, digits, `_`, `-`, `/` and symbols
/// such as emoji, with something other than digits among them.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX_BYTES
        && name.chars().all(is_name_char)
        && name.chars().any(|c| c.is_alphanumeric() || !c.is_ascii())
        && !name.chars().all(char::is_numeric)
}

/// Returns a name without `/` at its ends.
pub(super) fn trim(name: &str) -> &str {
    name.trim_end_matches('/')
}

/// Finds tags in a range of prose, each with its `#`.
pub(super) fn find(text: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        while let Some(hash) = memchr::memchr(b'#', &text.as_bytes()[at..range.end]) {
            let start = at + hash;
            let length: usize = text[start + 1..range.end]
                .chars()
                .take_while(|c| is_name_char(*c))
                .map(char::len_utf8)
                .sum();
            at = start + 1 + length;
            if is_name(trim(&text[start + 1..at])) && may_follow(&text[..start]) {
                return Some(start..at);
            }
        }
        None
    })
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '/') || is_symbol(c)
}

/// Symbols and emoji, but neither punctuation nor space. The excluded ranges are those of
/// Obsidian (general and supplemental punctuation), and CJK and full-width punctuation, which end
/// a tag as a comma does.
fn is_symbol(c: char) -> bool {
    !c.is_ascii()
        && !c.is_whitespace()
        && !c.is_control()
        && !matches!(c,
            '«' | '»' | '¡' | '¿' | '\u{fffd}' | '\u{feff}'
            | '\u{2000}'..='\u{200c}' | '\u{200e}'..='\u{206f}'
            | '\u{2e00}'..='\u{2e7f}' | '\u{3000}'..='\u{303f}'
            | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}'
            | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

/// Whether a tag may stand after `before`.
fn may_follow(before: &str) -> bool {
    match before.chars().next_back() {
        None => true,
        Some(c) if c.is_whitespace() || c.is_control() => true,
        // An emphasis, a quote mark or a cell begins here, or a parenthesis of the prose.
        Some('(' | '[' | '{' | ',' | ';' | '*' | '_' | '~' | '|' | '>' | '"') => {
            let window =
                crate::spans::floor(before, before.len().saturating_sub(ADDRESS_MAX_BYTES));
            let word = before[window..].rsplit(char::is_whitespace).next();
            !word.unwrap_or_default().contains("://")
        }
        Some('=') => before.ends_with("=="),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_something_other_than_digits() {
        for (name, good) in [
            ("a", true),
            ("a/b-c_d", true),
            ("2024/01", true),
            ("y1984", true),
            ("🥖", true),
            ("日本語", true),
            ("1984", false),
            ("", false),
            ("-", false),
            ("a b", false),
            ("a.b", false),
            ("a，b", false),
        ] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }

    #[test]
    fn tags_begin_after_space_or_opening_marks() {
        for (text, expected) in [
            ("#a b #c/d.", &["#a", "#c/d"][..]),
            ("a#b /#c &#d \\#e", &[]),
            (
                "(#a, #b) **#c** ==#d== \"#e\"",
                &["#a", "#b", "#c", "#d", "#e"],
            ),
            ("https://a.example/(#b #c", &["#c"]),
            ("## a #1 # b", &[]),
            ("#é，#ö", &["#é"]),
        ] {
            let found: Vec<&str> = find(text, 0..text.len())
                .map(|range| &text[range])
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
