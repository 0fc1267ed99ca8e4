//! The rules by which names, link texts and headings are compared: shared by everything that
//! resolves, renames or suggests links.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Returns the form under which two names are the same: NFC, lower case, final sigma as sigma.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower: String = nfc(name).chars().flat_map(lower_case).collect();
    nfc(&lower)
}

fn lower_case(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase()
        .map(|low| if low == 'ς' { 'σ' } else { low })
}

fn nfc(text: &str) -> String {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.to_owned(),
        _ => text.nfc().collect(),
    }
}

/// Returns a path or name without `.md` or `.markdown` at its end, in any case.
pub fn strip_md(name: &str) -> &str {
    for extension in [".md", ".markdown"] {
        let Some(cut) = name.len().checked_sub(extension.len()) else {
            continue;
        };
        if cut > 0 && name.is_char_boundary(cut) && name[cut..].eq_ignore_ascii_case(extension) {
            return &name[..cut];
        }
    }
    name
}

/// Returns the last part of a path, folders left out.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the target of a link is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkParts {
    /// The note or file; empty for a link within the same note.
    pub path: String,
    /// Heading parts after `#`, outermost first.
    pub headings: Vec<String>,
    /// Block part after `#^`, without `^`.
    pub block: Option<String>,
}

impl LinkParts {
    /// Whether it names nothing at all.
    pub fn is_empty(&self) -> bool {
        self.path.is_empty() && self.headings.is_empty() && self.block.is_none()
    }
}

/// Splits `Note#Heading#Sub` and `Note#^block` into their parts, each trimmed; empty parts are
/// left out.
pub fn split_target(target: &str) -> LinkParts {
    let mut rest = target.split('#');
    let mut parts = LinkParts {
        path: rest.next().unwrap_or_default().trim().to_owned(),
        ..LinkParts::default()
    };
    for part in rest.map(str::trim) {
        match part.strip_prefix('^') {
            Some(id) if !id.is_empty() => parts.block = Some(id.to_owned()),
            None if !part.is_empty() => parts.headings.push(part.to_owned()),
            _ => {}
        }
    }
    parts
}

/// Splits what stands between `[[` and `]]` into target and alias at the first `|`; a `\` before
/// it, as tables need, belongs to neither.
pub fn split_wikilink(inner: &str) -> (&str, Option<&str>) {
    match inner.split_once('|') {
        Some((target, alias)) => {
            let target = target.strip_suffix('\\').unwrap_or(target);
            (target.trim(), Some(alias.trim()))
        }
        None => (inner.trim(), None),
    }
}

/// Returns the form under which a heading and a `#Heading` part are the same: punctuation counts
/// as a space, runs of spaces as one, and case does not count.
///
/// `_` and `-` are kept, as Obsidian does.
pub fn heading_key(heading: &str) -> String {
    let mut key = String::with_capacity(heading.len());
    for c in heading.chars() {
        if c.is_whitespace() || (c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '\'')) {
            if !key.is_empty() && !key.ends_with(' ') {
                key.push(' ');
            }
        } else {
            key.push(c);
        }
    }
    fold(key.trim_end())
}

/// Returns the anchor that Markdown hosts make of a heading: lower case, spaces as `-`,
/// punctuation dropped. Markdown links such as `note.md#two-words` use it.
pub fn slug(heading: &str) -> String {
    let kept: String = heading
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect();
    fold(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_makes_spellings_of_one_name_equal() {
        for (a, b) in [
            ("Note", "NOTE"),
            ("Pa\u{302}te", "Pâte"),
            ("ΟΔΟΣ", "οδος"),
            ("ÉTÉ", "été"),
            ("🥖 Weekend", "🥖 weekend"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("strasse"), fold("Straße"));
    }

    #[test]
    fn extensions_of_notes_are_stripped() {
        for (name, expected) in [
            ("a.md", "a"),
            ("a.MD", "a"),
            ("a.markdown", "a"),
            (".md", ".md"),
            ("a.mdx", "a.mdx"),
            ("ä", "ä"),
            ("🥖", "🥖"),
        ] {
            assert_eq!(strip_md(name), expected);
        }
        assert_eq!(base_name("a/b/c"), "c");
    }

    #[test]
    fn targets_split_into_note_headings_and_block() {
        let split = |target| {
            let LinkParts {
                path,
                headings,
                block,
            } = split_target(target);
            (path, headings.join(">"), block.unwrap_or_default())
        };
        for (target, path, headings, block) in [
            ("Note", "Note", "", ""),
            (" a/Note # H ", "a/Note", "H", ""),
            ("Note#H1#H2", "Note", "H1>H2", ""),
            ("#H", "", "H", ""),
            ("Note#^id", "Note", "", "id"),
            ("Note#H#^id", "Note", "H", "id"),
            ("#", "", "", ""),
            ("C##", "C", "", ""),
        ] {
            assert_eq!(
                split(target),
                (path.into(), headings.into(), block.into()),
                "{target}"
            );
        }
    }

    #[test]
    fn wikilinks_split_at_the_first_pipe() {
        assert_eq!(split_wikilink("a | b|c "), ("a", Some("b|c")));
        assert_eq!(split_wikilink("a\\|b"), ("a", Some("b")));
        assert_eq!(split_wikilink(" a "), ("a", None));
    }

    #[test]
    fn headings_match_whatever_their_punctuation() {
        for (heading, part) in [
            ("What's *new*?", "what's new"),
            ("A: B / C", "A B C"),
            ("  Spaced   out ", "spaced out"),
            ("snake_case-name", "Snake_Case-Name"),
            ("[[Note|Alias]] x", "Note Alias x"),
        ] {
            assert_eq!(heading_key(heading), heading_key(part));
        }
        assert_eq!(slug("Two Words, (really)!"), "two-words-really");
    }
}
