//! Edits of a note's text: pure functions from a text to the text after the edit.
//!
//! Bytes outside the edit are never touched. Text that is put in takes on the note's own line
//! ends: a note with `\r\n` keeps them. Where a piece or a heading is named that does not occur
//! exactly once, the edit is refused with words that let the writer mend it.
//!
//! `section` finds what stands below a heading; `piece` finds a piece that occurs once.

mod piece;
mod section;

use std::ops::Range;

use crate::decode::bom_len;
use crate::frontmatter;

pub use section::{append_to_section, replace_section};

/// Why an edit does not fit a text: the cause and the cure, in words for the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Reads after "edit 1 does not fit: ".
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

/// Replaces the whole text; a byte order mark and `\r\n` line ends stay.
#[must_use]
pub fn overwrite(text: &str, new: &str) -> String {
    let mark = &text[..bom_len(text)];
    let body = &new[bom_len(new)..];
    let body = if new.contains("\r\n") {
        body.to_owned()
    } else {
        LineEnd::of(text).apply(body)
    };
    format!("{mark}{body}")
}

/// Replaces the piece `old`, which must occur exactly once, by `new`.
///
/// In a note with `\r\n` a piece written with `\n` is found all the same.
///
/// # Errors
/// When `old` is empty, does not occur, or occurs more than once; with the lines.
pub fn replace(text: &str, old: &str, new: &str) -> Result<String, Refusal> {
    let range = piece::find(text, old)?;
    let end = LineEnd::of(text);
    Ok(splice(text, range, &end.apply(new)))
}

/// Adds at the end, on a line of its own.
///
/// The text ends with a line end if it did before, if it was empty, or if `added` does.
#[must_use]
pub fn append(text: &str, added: &str) -> String {
    if added.is_empty() {
        return text.to_owned();
    }
    let end = LineEnd::of(text);
    let is_closed = text.len() == bom_len(text) || text.ends_with('\n');
    let mut new = String::with_capacity(text.len() + added.len() + 4);
    new.push_str(text);
    if !is_closed {
        new.push_str(end.text());
    }
    new.push_str(&end.apply(added));
    if is_closed && !new.ends_with('\n') {
        new.push_str(end.text());
    }
    new
}

/// Adds at the beginning, after the frontmatter, on a line of its own.
#[must_use]
pub fn prepend(text: &str, added: &str) -> String {
    if added.is_empty() {
        return text.to_owned();
    }
    let start = bom_len(text);
    let at = frontmatter::read(text, start).body_start(start);
    let end = LineEnd::of(text);
    let is_line_start = at == start || text[..at].ends_with('\n');
    let mut piece = String::with_capacity(added.len() + 4);
    if !is_line_start {
        piece.push_str(end.text());
    }
    piece.push_str(&end.apply(added));
    if !piece.ends_with('\n') {
        piece.push_str(end.text());
    }
    splice(text, at..at, &piece)
}

fn splice(text: &str, range: Range<usize>, piece: &str) -> String {
    let mut new = String::with_capacity(text.len() + piece.len());
    new.push_str(&text[..range.start]);
    new.push_str(piece);
    new.push_str(&text[range.end..]);
    new
}

/// How the lines of a text end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Feed,
    ReturnFeed,
}

impl LineEnd {
    /// Returns how the first line ends; a text of one line takes `\n`.
    fn of(text: &str) -> Self {
        match memchr::memchr(b'\n', text.as_bytes()) {
            Some(at) if text[..at].ends_with('\r') => Self::ReturnFeed,
            _ => Self::Feed,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Feed => "\n",
            Self::ReturnFeed => "\r\n",
        }
    }

    /// Returns `piece` with these line ends.
    fn apply(self, piece: &str) -> String {
        let plain = piece.replace("\r\n", "\n");
        match self {
            Self::Feed => plain,
            Self::ReturnFeed => plain.replace('\n', "\r\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_text_has_a_line_of_its_own() {
        for (text, added, expected) in [
            ("a\n", "b", "a\nb\n"),
            ("a", "b", "a\nb"),
            ("a", "b\n", "a\nb\n"),
            ("", "b", "b\n"),
            ("a\r\nc", "b\nd", "a\r\nc\r\nb\r\nd"),
            ("a\n\n", "b", "a\n\nb\n"),
            ("a", "", "a"),
        ] {
            assert_eq!(append(text, added), expected, "{text:?} {added:?}");
        }
    }

    #[test]
    fn prepended_text_stands_after_the_frontmatter() {
        for (text, added, expected) in [
            ("# A\n", "b", "b\n# A\n"),
            ("---\nx: 1\n---\n# A\n", "b\n", "---\nx: 1\n---\nb\n# A\n"),
            ("---\nx: 1\n---", "b", "---\nx: 1\n---\nb\n"),
            ("\u{feff}# A\n", "b", "\u{feff}b\n# A\n"),
            (
                "---\r\nx: 1\r\n---\r\nA",
                "b\nc",
                "---\r\nx: 1\r\n---\r\nb\r\nc\r\nA",
            ),
            ("", "b", "b\n"),
        ] {
            assert_eq!(prepend(text, added), expected, "{text:?} {added:?}");
        }
    }

    #[test]
    fn overwriting_keeps_mark_and_line_ends() {
        assert_eq!(overwrite("\u{feff}a\r\nb", "c\nd\n"), "\u{feff}c\r\nd\r\n");
        assert_eq!(overwrite("a\nb", "c\r\nd"), "c\r\nd");
        assert_eq!(overwrite("", "c\nd"), "c\nd");
    }

    #[test]
    fn a_piece_with_other_line_ends_is_found() {
        assert_eq!(
            replace("a\r\nb\r\n", "a\nb", "c\nd"),
            Ok("c\r\nd\r\n".to_owned())
        );
    }
}
