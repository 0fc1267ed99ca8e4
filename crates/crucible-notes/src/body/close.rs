//! What a leaf says beyond its text, read when it ends.

use std::ops::Range;

use super::leaf::{Kind, Leaf};
use super::{Walk, field, ids, tag};
use crate::facts::{BlockId, Heading, InlineField, Tag};
use crate::spans::{clip, trim_end};

impl Walk<'_> {
    /// Ends the leaf, if one is open, and makes it part of a block.
    pub(super) fn close_leaf(&mut self) {
        self.take_tags();
        self.links.clear();
        let Some(mut leaf) = self.leaf.take() else {
            return;
        };
        leaf.span = trim_end(self.text, leaf.span);
        leaf.content = leaf.content.min(leaf.span.end);
        let mark = ids::at_end(self.text, &leaf);
        let opens_item = leaf.first && self.containers.item().is_some();
        let alone = leaf.kind == Kind::Paragraph
            && !opens_item
            && mark
                .as_ref()
                .is_some_and(|mark| leaf.text.trim().len() == mark.id.len() + 1);
        let id = mark.and_then(|mark| self.name_block(&leaf, mark, alone));
        if let Some(id) = &id {
            let length = leaf.text.trim_end().len();
            leaf.truncate(length.saturating_sub(id.id.len() + 1));
        }
        if !matches!(leaf.kind, Kind::Table | Kind::Verbatim) {
            self.take_fields(&leaf, leaf.content..leaf.span.end, true);
        }
        self.take_titles(&leaf);
        self.file(leaf, id, alone);
    }

    /// Says which block an identifier at the end of the leaf names.
    fn name_block(&self, leaf: &Leaf, mark: ids::Mark, alone: bool) -> Option<BlockId> {
        let span = if alone {
            self.containers.previous()?
        } else if let (Kind::Table, Some((row, _))) = (leaf.kind, leaf.row) {
            leaf.span.start..row
        } else if let (true, Some(quote)) = (mark.starts_line, self.containers.quote()) {
            quote
        } else if let (true, Some(item)) = (leaf.first, self.containers.item()) {
            item
        } else {
            leaf.span.clone()
        };
        Some(BlockId {
            id: mark.id,
            span: trim_end(self.text, span),
        })
    }

    /// Writes the text of the leaf where a heading, task or callout awaits it.
    fn take_titles(&mut self, leaf: &Leaf) {
        let text = clip(leaf.text.trim());
        if let Kind::Heading(level) = leaf.kind {
            self.blocks.begin_section(self.facts.headings.len());
            self.facts.headings.push(Heading {
                level,
                text: text.to_owned(),
                span: leaf.span.clone(),
                line: self.lines.at(leaf.span.start),
            });
        }
        if let Some(task) = leaf.task.and_then(|task| self.facts.tasks.get_mut(task)) {
            task.text = text.to_owned();
        }
        if let Some(callout) = leaf.callout {
            self.title_callout(callout, text);
        }
    }

    /// Writes the title of a callout.
    pub(super) fn title_callout(&mut self, callout: usize, text: &str) {
        if let Some(callout) = self.facts.callouts.get_mut(callout)
            && !text.is_empty()
        {
            callout.title = Some(text.to_owned());
        }
    }

    /// Makes the leaf part of a block.
    fn file(&mut self, mut leaf: Leaf, id: Option<BlockId>, alone: bool) {
        let own_span = leaf.span.clone();
        let marks_start = self.containers.take_marks_start();
        let start = marks_start.unwrap_or(own_span.start).min(own_span.start);
        leaf.span.start = start.max(self.blocks.end()).min(own_span.end);
        match id {
            Some(id) if alone && self.blocks.has_open() => {
                self.blocks.attach(id, own_span.end);
                return;
            }
            None if leaf.text.trim().is_empty() && !matches!(leaf.kind, Kind::Heading(_)) => {
                // The marks of an empty item or title belong to what follows.
                if let Some(start) = marks_start {
                    self.containers.put_marks_start(start);
                }
            }
            id => {
                // A comment that was blanked has characters where none seem to be.
                leaf.marks
                    .retain(|mark| self.original.is_char_boundary(mark.source));
                self.blocks.add(&leaf, id, &mut self.lines);
            }
        }
        self.containers.set_previous(own_span);
    }

    /// Ends a cell of a table.
    pub(super) fn close_cell(&mut self, span: Range<usize>) {
        self.take_tags();
        if let Some(mut leaf) = self.leaf.take() {
            self.take_fields(&leaf, span.clone(), false);
            leaf.opaque.clear();
            leaf.push(" ");
            if leaf.is_overdue(span.end) {
                leaf.mark(span.end);
            }
            self.leaf = Some(leaf);
        }
    }

    fn take_fields(&mut self, leaf: &Leaf, region: Range<usize>, whole_lines: bool) {
        let (lines, fields) = (&mut self.lines, &mut self.facts.fields);
        field::scan(
            self.text,
            region,
            &leaf.opaque,
            whole_lines,
            |key, value, at| {
                fields.push(InlineField {
                    key,
                    value,
                    line: lines.at(at),
                });
            },
        );
    }

    /// Searches the text since the last mark for tags.
    pub(super) fn take_tags(&mut self) {
        let run = std::mem::replace(&mut self.run, 0..0);
        let start = run.start.max(self.skip_to);
        if start >= run.end {
            return;
        }
        for span in tag::find(self.text, start..run.end) {
            let name = tag::trim(&self.text[span.start + 1..span.end]);
            if !self.tags_seen.contains(name) {
                self.tags_seen.insert(name.to_owned());
                self.facts.tags.push(Tag {
                    name: name.to_owned(),
                    span: Some(span.start..span.start + 1 + name.len()),
                });
            }
        }
    }
}
