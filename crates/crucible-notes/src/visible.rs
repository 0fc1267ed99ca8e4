//! A note as a reader sees it: without frontmatter and comments.

use std::borrow::Cow;

use crate::decode::bom_len;
use crate::frontmatter;
use crate::mask;

/// The Markdown of a note, for showing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible<'a> {
    /// Where the Markdown begins: after the frontmatter, if there is one.
    pub start: usize,
    /// The whole text with comments blanked and nesting bounded: same length, same lines, so that
    /// the ranges of [`NoteFacts`](crate::NoteFacts) hold in it. [`Visible::FILLER`] stands where
    /// something was blanked within a line and is to be left out.
    pub text: Cow<'a, str>,
}

impl Visible<'_> {
    /// Stands for a blanked byte within a line.
    pub const FILLER: char = mask::FILLER as char;

    /// Returns the Markdown, to be parsed with [`markdown_options`](crate::markdown_options).
    #[must_use]
    pub fn markdown(&self) -> &str {
        &self.text[self.start..]
    }
}

/// Returns what a reader of the note sees, still as Markdown.
///
/// Never fails and never panics; time and memory grow linearly with the text.
#[must_use]
pub fn visible(text: &str) -> Visible<'_> {
    let start = bom_len(text);
    let body = frontmatter::read(text, start).body_start(start);
    Visible {
        start: body,
        text: mask::apply(text, body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frontmatter_and_comments_are_not_seen() {
        let text = "---\ntitle: x\n---\na %%secret%% b\n";
        let seen = visible(text);
        assert_eq!(seen.text.len(), text.len());
        let shown = seen.markdown().replace(Visible::FILLER, "");
        assert_eq!(shown, "a  b\n");
    }

    #[test]
    fn nothing_of_nothing_is_seen() {
        assert_eq!(visible("").markdown(), "");
        assert_eq!(visible("\u{feff}a").markdown(), "a");
    }
}
