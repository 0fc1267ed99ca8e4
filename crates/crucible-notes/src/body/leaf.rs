//! One paragraph, heading, code block, table or HTML block while its text is collected.

use std::ops::Range;

use crate::mask::FILLER;
use crate::spans::floor;

/// Least distance between two places where a leaf may be cut, in bytes of source.
pub(super) const MARK_SPACING: usize = 256;

/// Longest stretch of text without such a place, in bytes of source.
const STRETCH_MAX: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Paragraph,
    /// Outside of all containers only: those divide the note.
    Heading(u8),
    /// Text that stands directly in a list item.
    Item,
    Table,
    /// Code, HTML and whatever else is taken line by line.
    Verbatim,
}

/// A place where the leaf may be cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// In the note.
    pub(super) source: usize,
    /// In the text of the leaf.
    pub(super) text: usize,
}

#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// Text without markup.
    pub(super) text: String,
    /// In ascending order.
    pub(super) marks: Vec<Mark>,
    /// Code, math, HTML and links, in ascending order.
    pub(super) opaque: Vec<Range<usize>>,
    /// Where the text begins, after the mark of a task or callout.
    pub(super) content: usize,
    /// Whether it is the first block of its container.
    pub(super) first: bool,
    /// The task whose text this is.
    pub(super) task: Option<usize>,
    /// The callout whose title is being read.
    pub(super) callout: Option<usize>,
    /// Where the last row of a table begins in the note and in the text.
    pub(super) row: Option<(usize, usize)>,
}

impl Leaf {
    pub(super) fn new(kind: Kind, span: Range<usize>) -> Self {
        Self {
            kind,
            content: span.start,
            span,
            text: String::new(),
            marks: Vec::new(),
            opaque: Vec::new(),
            first: false,
            task: None,
            callout: None,
            row: None,
        }
    }

    /// Grows with its text, where the parser did not say how far it reaches.
    pub(super) fn extend(&mut self, end: usize) {
        if self.kind == Kind::Item {
            self.span.end = self.span.end.max(end);
        }
    }

    /// Adds text, blanked comments left out.
    pub(super) fn push(&mut self, text: &str) {
        if memchr::memchr(FILLER, text.as_bytes()).is_none() {
            self.text.push_str(text);
        } else {
            self.text.extend(text.split(char::from(FILLER)));
        }
    }

    /// Notes that the leaf may be cut before `source`, if the last such place is far enough.
    pub(super) fn mark(&mut self, source: usize) {
        let last = self
            .marks
            .last()
            .map_or(self.span.start, |mark| mark.source);
        if source >= last + MARK_SPACING {
            self.marks.push(Mark {
                source,
                text: self.text.len(),
            });
        }
    }

    /// Adds text that stands at `at` in the note word by word, with a place to cut now and then.
    pub(super) fn push_prose(&mut self, mut text: &str, mut at: usize) {
        while text.len() > STRETCH_MAX {
            let (stretch, rest) = text.split_at(good_cut(text));
            self.push(stretch);
            at += stretch.len();
            self.mark(at);
            text = rest;
        }
        self.push(text);
    }

    /// Adds lines that begin at `at`; each may be the last before a cut.
    pub(super) fn push_lines(&mut self, text: &str, at: usize) {
        let mut done = 0;
        for line in text.split_inclusive('\n') {
            self.push_prose(line, at + done);
            done += line.len();
            if line.ends_with('\n') {
                self.mark(at + done);
            }
        }
    }

    /// Shortens the text to `length`, white space before it dropped too.
    pub(super) fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
        self.text.truncate(self.text.trim_end().len());
        while self
            .marks
            .last()
            .is_some_and(|mark| mark.text > self.text.len())
        {
            self.marks.pop();
        }
    }
}

/// Where to cut a long text: after a sentence, else after a word, else anywhere.
fn good_cut(text: &str) -> usize {
    let end = floor(text, STRETCH_MAX);
    let start = floor(text, MARK_SPACING);
    let window = &text[start..end];
    let sentence = window
        .rmatch_indices(['.', '!', '?', '。', '！', '？'])
        .find_map(|(at, mark)| {
            let after = at + mark.len();
            let ends = mark.len() > 1 || window[after..].starts_with(char::is_whitespace);
            ends.then_some(after)
        });
    let word = || window.rfind(char::is_whitespace);
    start + sentence.or_else(word).unwrap_or(window.len())
}
