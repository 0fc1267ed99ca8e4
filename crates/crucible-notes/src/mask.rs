//! Blanks `%%comments%%` before the Markdown is parsed, so that nothing in them counts, and takes
//! nesting beyond reason for text.
//!
//! The masked text has the same length and the same lines as the original, so every range into
//! one is a range into the other. Comments end up as spaces; where spaces would change what the
//! rest of the line is (an indent of four makes code), as [`FILLER`], which block text drops.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr3, memmem};

use crate::margin::{content_start, deep_lines};

/// Stands for a byte of a comment before text on the same line, and ends the marks of a line that
/// nests too deep.
pub(crate) const FILLER: u8 = 0x01;

/// Farthest that the end of inline code is looked for, in bytes.
const CODE_SPAN_MAX_BYTES: usize = 4096;

/// Returns `text` with the comments after `from` blanked and its nesting bounded.
pub(crate) fn apply(text: &str, from: usize) -> Cow<'_, str> {
    let comments = find(text, from);
    let deep = deep_lines(text.as_bytes(), from);
    if comments.is_empty() && deep.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = text.as_bytes().to_vec();
    for at in deep {
        masked[at] = FILLER;
    }
    for comment in comments {
        blank(&mut masked, &comment);
    }
    Cow::Owned(String::from_utf8(masked).expect("whole characters were replaced by ASCII"))
}

fn blank(bytes: &mut [u8], comment: &Range<usize>) {
    let last_line = bytes[comment.clone()]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(comment.start, |feed| comment.start + feed + 1);
    let after = bytes[comment.end..]
        .iter()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    let filler = match after {
        None | Some(b'\n') => b' ',
        Some(_) => FILLER,
    };
    for (at, byte) in (comment.start..).zip(&mut bytes[comment.clone()]) {
        if !matches!(*byte, b'\n' | b'\r') {
            *byte = if at < last_line { b' ' } else { filler };
        }
    }
}

/// Finds comments outside code and math, in order.
fn find(text: &str, from: usize) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let Some(first) = memmem::find(&bytes[from..], b"%%") else {
        return Vec::new();
    };
    let last = memmem::rfind(bytes, b"%%").unwrap_or(from + first);
    let mut finder = Finder {
        bytes,
        found: Vec::new(),
        fence: None,
    };
    let mut at = from;
    // Nothing after the last mark can be part of a comment that is closed.
    while at <= last {
        at = finder.line(at);
    }
    finder.found
}

struct Finder<'a> {
    bytes: &'a [u8],
    found: Vec<Range<usize>>,
    /// The open code fence: its character and length.
    fence: Option<(u8, usize)>,
}

impl Finder<'_> {
    /// Reads the line at `at` and returns where to go on: the next line, or where a comment ends.
    fn line(&mut self, at: usize) -> usize {
        let end = self.end_of_line(at);
        let (content, quoted) = content_start(self.bytes, at, end);
        let fence = fence(&self.bytes[content..end]);
        match (self.fence, fence) {
            (Some(open), Some(close)) if close.0 == open.0 && close.1 >= open.1 && close.2 => {
                self.fence = None;
                return end + 1;
            }
            (Some(_), _) => return end + 1,
            (None, Some((mark, length, _))) => {
                self.fence = Some((mark, length));
                return end + 1;
            }
            (None, None) => {}
        }
        if self.bytes[content..].starts_with(b"%%") {
            let close = memmem::find(&self.bytes[content + 2..], b"%%");
            if close.is_some() || !quoted {
                let comment_end = close.map_or(self.bytes.len(), |close| content + close + 4);
                self.found.push(content..comment_end);
                return self.inline(comment_end);
            }
        }
        self.inline(content)
    }

    /// Reads from `at` to the end of its line, over code and math; returns where to go on.
    fn inline(&mut self, mut at: usize) -> usize {
        let mut end = self.end_of_line(at);
        while at < end {
            let Some(mark) = memchr3(b'`', b'%', b'$', &self.bytes[at..end]) else {
                break;
            };
            let mark_at = at + mark;
            let escaped = mark_at > 0 && self.bytes[mark_at - 1] == b'\\';
            // Only backticks come in runs whose length matters.
            let limit = match self.bytes[mark_at] {
                b'`' => end,
                _ => end.min(mark_at + 2),
            };
            let run = run_length(&self.bytes[mark_at..limit]);
            at = match (self.bytes[mark_at], run) {
                (b'`', _) if !escaped => self.code_end(mark_at, run),
                (b'$', 2..) if !escaped => self.paired(mark_at, b"$$").unwrap_or(mark_at + run),
                (b'%', 2..) if !escaped => match self.paired(mark_at, b"%%") {
                    Some(close) => {
                        self.found.push(mark_at..close);
                        close
                    }
                    None => mark_at + run,
                },
                _ => mark_at + run,
            };
            if at > end {
                end = self.end_of_line(at);
            }
        }
        end + 1
    }

    fn end_of_line(&self, at: usize) -> usize {
        let at = at.min(self.bytes.len());
        memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |feed| at + feed)
    }

    /// Where the code that opens with a run of backticks ends, or the run itself.
    fn code_end(&self, open: usize, run: usize) -> usize {
        let body = open + run;
        let limit = self.end_of_line(body).min(body + CODE_SPAN_MAX_BYTES);
        let mut at = body;
        while let Some(tick) = memchr(b'`', &self.bytes[at..limit]) {
            let close = at + tick;
            let length = run_length(&self.bytes[close..limit]);
            at = close + length;
            if length == run {
                return at;
            }
        }
        body
    }

    /// Where the text that opens with `mark` ends, if it does so before a blank line.
    fn paired(&self, open: usize, mark: &[u8]) -> Option<usize> {
        let body = open + mark.len();
        let close = body + memmem::find(&self.bytes[body..], mark)?;
        let between = &self.bytes[body..close];
        let blank = memchr::memchr_iter(b'\n', between).any(|feed| {
            let rest = &between[feed + 1..];
            memchr(b'\n', rest).is_some_and(|next| rest[..next].trim_ascii().is_empty())
        });
        (!blank).then_some(close + mark.len())
    }
}

fn run_length(bytes: &[u8]) -> usize {
    let mark = bytes[0];
    bytes.iter().take_while(|byte| **byte == mark).count()
}

/// The character and length of the code fence that a line starts with, and whether the rest of
/// the line is blank, as a closing fence needs.
fn fence(line: &[u8]) -> Option<(u8, usize, bool)> {
    let mark = *line.first().filter(|byte| matches!(byte, b'`' | b'~'))?;
    let length = run_length(line);
    let rest = &line[length..];
    if length < 3 || (mark == b'`' && memchr(b'`', rest).is_some()) {
        return None;
    }
    Some((mark, length, rest.trim_ascii().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = find(text, 0)
            .into_iter()
            .map(|range| &text[range])
            .collect();
        assert_eq!(found, expected, "{text:?}");
        let masked = apply(text, 0);
        assert_eq!(masked.len(), text.len());
        assert_eq!(masked.lines().count(), text.lines().count());
    }

    #[test]
    fn comments_are_found_outside_code_and_math() {
        check("a %%b%% c", &["%%b%%"]);
        check("%%\na\n\nb\n%%\nc", &["%%\na\n\nb\n%%"]);
        check("`%%a%%` %%b%%", &["%%b%%"]);
        check("``a ` %%x%%`` %%b%%", &["%%b%%"]);
        check("```\n%%a%%\n```\n%%b%%", &["%%b%%"]);
        check("- ```\n  %%a%%\n  ```\n%%b%%", &["%%b%%"]);
        check("$$\n%%a%%\n$$\n%%b%%", &["%%b%%"]);
        check("%% ``` %%\n%%b%%\n", &["%% ``` %%", "%%b%%"]);
        check("- [ ] a %%b\nc%% d", &["%%b\nc%%"]);
        check("\\%%a%% ä", &[]);
        check("%%%% a", &["%%%%"]);
    }

    #[test]
    fn a_comment_that_is_not_closed_hides_the_rest_only_from_the_start_of_a_line() {
        check("a\n%% b\n\nc", &["%% b\n\nc"]);
        check("100%% sure\n\nand 50%% here", &[]);
        check("> %% a\n\nb", &[]);
    }

    #[test]
    fn lines_that_nest_too_deep_are_cut_off() {
        let deep = "> ".repeat(300);
        assert_eq!(apply(&deep, 0).matches('\u{1}').count(), 1);
    }

    #[test]
    fn masks_keep_length_and_what_follows() {
        assert_eq!(apply("a %%ä%%\nb", 0), "a       \nb");
        assert_eq!(apply("%%ä%% b", 0), "\u{1}\u{1}\u{1}\u{1}\u{1}\u{1} b");
        assert_eq!(apply("%%a\nb%% c", 0), "   \n\u{1}\u{1}\u{1} c");
    }
}
