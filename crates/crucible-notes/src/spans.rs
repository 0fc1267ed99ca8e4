//! Small operations on byte ranges and character boundaries.

use std::ops::Range;

/// Longest text kept of a heading, task, callout title, alias or field, in bytes; the rest stays
/// searchable in its block.
pub(crate) const TEXT_MAX_BYTES: usize = 4096;

/// Moves `at` down to a character boundary.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// Shortens `text` to [`TEXT_MAX_BYTES`].
pub(crate) fn clip(text: &str) -> &str {
    &text[..floor(text, TEXT_MAX_BYTES)]
}

/// Returns `range` without white space at its end.
pub(crate) fn trim_end(text: &str, range: Range<usize>) -> Range<usize> {
    let trimmed = text[range.clone()].trim_end();
    range.start..range.start + trimmed.len()
}

/// Returns the end of the line that `at` stands in, its line end left out.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let end = memchr::memchr(b'\n', rest).map_or(text.len(), |feed| at + feed);
    match end > at && text.as_bytes()[end - 1] == b'\r' {
        true => end - 1,
        false => end,
    }
}
