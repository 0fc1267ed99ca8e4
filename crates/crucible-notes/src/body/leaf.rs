//! One paragraph, heading, code block, table or HTML block while its text is collected.

use std::ops::Range;

use crate::mask::FILLER;
use crate::spans::floor;

/// Least distance between two places where a leaf may be cut, in bytes of source.
const MARK_SPACING: usize = 128;

/// Longest stretch of text without such a place, in bytes of source.
pub(super) const STRETCH_MAX: usize = 256;

/// A table row without a place to cut in as many bytes is cut between cells.
const OVERDUE: usize = 2048;

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

    /// Adds text that stands at `at` in the note, with a place to cut now and then.
    pub(super) fn push_prose(&mut self, mut text: &str, mut at: usize) {
        while let Some(cut) = self.next_cut(text, at) {
            let (stretch, rest) = text.split_at(cut);
            self.push(stretch);
            at += cut;
            self.mark(at);
            text = rest;
        }
        self.push(text);
    }

    /// Adds lines that begin at `at`; each may be the last before a cut.
    pub(super) fn push_lines(&mut self, text: &str, at: usize) {
        let mut done = 0;
        for line in text.split_inclusive('\n') {
            match line.len() > STRETCH_MAX {
                true => self.push_prose(line, at + done),
                false => self.push(line),
            }
            done += line.len();
            if line.ends_with('\n') {
                self.mark(at + done);
            }
        }
    }

    /// Whether the last place to cut is so far back that any other will do.
    pub(super) fn is_overdue(&self, at: usize) -> bool {
        at > self.last_mark() + OVERDUE
    }

    fn last_mark(&self) -> usize {
        self.marks
            .last()
            .map_or(self.span.start, |mark| mark.source)
    }

    /// Where to cut a text that stands at `at`: after a sentence, else after a word, else, if it is
    /// long, anywhere.
    fn next_cut(&self, text: &str, at: usize) -> Option<usize> {
        let last = self.last_mark();
        if (at + text.len()).saturating_sub(last) <= STRETCH_MAX {
            return None;
        }
        let start = floor(text, (last + MARK_SPACING).saturating_sub(at));
        let end = floor(
            text,
            (last + STRETCH_MAX)
                .saturating_sub(at)
                .max(start + STRETCH_MAX),
        );
        let window = &text[start..end];
        let cut = after_sentence(window)
            .or_else(|| window.rfind(char::is_whitespace))
            .map_or(end, |cut| start + cut);
        let anywhere = cut < end || text.len() > STRETCH_MAX;
        (cut > 0 && cut < text.len() && anywhere).then_some(cut)
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

/// Where the last sentence of a text ends that is followed by another.
fn after_sentence(text: &str) -> Option<usize> {
    let marks = text.rmatch_indices(['.', '!', '?', '。', '！', '？']);
    marks
        .map(|(at, mark)| (at + mark.len(), mark))
        .find_map(|(after, mark)| {
            let ends = mark.len() > 1 || text[after..].starts_with(char::is_whitespace);
            ends.then_some(after)
        })
}
