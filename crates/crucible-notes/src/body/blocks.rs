//! From leaves to blocks: short neighbours are merged, long leaves cut.

use std::ops::Range;

use super::leaf::{Kind, Leaf};
use crate::facts::{Block, BlockId};
use crate::lines::Lines;

/// Size that blocks are merged up to and cut near, in bytes of source. Measured on real notes:
/// any-word queries over blocks of this size cost a fifth of those over whole notes.
const TARGET_BYTES: usize = 600;

/// A long leaf is cut at the first good place after this, which is near the target.
const CUT_MIN_BYTES: usize = 480;

/// A block below this is too little to stand alone.
const SMALL_BYTES: usize = 150;

/// Longest paragraph that stays whole.
const PROSE_MAX_BYTES: usize = 2 * TARGET_BYTES;

/// Longest code block, table or HTML block that stays whole.
const WHOLE_MAX_BYTES: usize = 2048;

#[derive(Debug, Default)]
pub(super) struct Blocks {
    done: Vec<Block>,
    open: Option<Block>,
    /// The heading that new blocks stand under.
    heading: Option<usize>,
}

impl Blocks {
    pub(super) fn finish(mut self) -> Vec<Block> {
        self.close();
        self.done
    }

    /// Ends the open block, so that the next leaf begins one.
    fn close(&mut self) {
        if let Some(mut block) = self.open.take() {
            block.text.truncate(block.text.trim_end().len());
            if !block.text.is_empty() || !block.ids.is_empty() {
                self.done.push(block);
            }
        }
    }

    /// Begins a block with the heading of that index.
    pub(super) fn begin_section(&mut self, heading: usize) {
        self.close();
        self.heading = Some(heading);
    }

    /// Adds a leaf and the identifier that stands in it.
    pub(super) fn add(&mut self, leaf: &Leaf, id: Option<BlockId>, lines: &mut Lines<'_>) {
        let whole_max = match leaf.kind {
            Kind::Table | Kind::Verbatim => WHOLE_MAX_BYTES,
            Kind::Paragraph | Kind::Heading(_) | Kind::Item => PROSE_MAX_BYTES,
        };
        let Range { mut start, end } = leaf.span;
        let mut from = 0;
        if end - start > whole_max {
            for mark in &leaf.marks {
                if mark.source >= start + CUT_MIN_BYTES && mark.source + SMALL_BYTES <= end {
                    self.piece(start..mark.source, &leaf.text[from..mark.text], lines);
                    start = mark.source;
                    from = mark.text;
                }
            }
        }
        self.piece(start..end, &leaf.text[from..], lines);
        if let Some(block) = &mut self.open {
            block.ids.extend(id);
        }
    }

    fn piece(&mut self, span: Range<usize>, text: &str, lines: &mut Lines<'_>) {
        let merges = self.open.as_ref().is_some_and(|open| {
            span.end - open.span.start <= TARGET_BYTES || open.span.len() < SMALL_BYTES
        });
        if !merges {
            self.close();
        }
        let text = text.trim();
        match &mut self.open {
            Some(open) => {
                open.span.end = span.end;
                if !open.text.is_empty() && !text.is_empty() {
                    open.text.push('\n');
                }
                open.text.push_str(text);
            }
            None => {
                self.open = Some(Block {
                    line: lines.at(span.start),
                    span,
                    heading: self.heading,
                    text: text.to_owned(),
                    ids: Vec::new(),
                });
            }
        }
    }

    /// Lets the open block reach to `end` and hold `id`.
    pub(super) fn attach(&mut self, id: BlockId, end: usize) {
        if let Some(block) = &mut self.open {
            block.span.end = end;
            block.ids.push(id);
        }
    }

    /// Where the open block ends.
    pub(super) fn end(&self) -> usize {
        let last = self.open.as_ref().or(self.done.last());
        last.map_or(0, |block| block.span.end)
    }

    pub(super) fn has_open(&self) -> bool {
        self.open.is_some()
    }
}
