//! The Markdown after the frontmatter: one pass over parser events that fills
//! [`NoteFacts`].
//!
//! [`Walk`] keeps track of containers (quotes, lists, items) and of the one *leaf* that text flows
//! into: a paragraph, heading, code block, table or HTML block. What a leaf says beyond its text
//! is read from the source when it closes (`close`). Leaves become blocks in `blocks`. Which
//! characters make a tag, a task, a callout, a field or a block identifier is each one file's
//! business.
//!
//! Everything is iterative: nesting in the input costs memory in proportion, never stack.

mod blocks;
mod close;
mod containers;
mod field;
mod html;
mod ids;
mod leaf;
pub(crate) mod link;
mod links;
mod marker;
pub(crate) mod tag;

use std::collections::HashSet;
use std::ops::Range;

use pulldown_cmark::{Event, Parser, TagEnd};

use self::blocks::Blocks;
use self::containers::Containers;
use self::html::Stripper;
use self::leaf::{Kind, Leaf};
use self::links::OpenLink;
use crate::facts::NoteFacts;
use crate::lines::Lines;
use crate::parse::markdown_options;
use crate::spans::clip;

/// Fills facts from the events of one text, front to back.
pub(crate) struct Walk<'a> {
    /// The note.
    original: &'a str,
    /// The masked text: same length and lines, other characters.
    text: &'a str,
    lines: Lines<'a>,
    facts: NoteFacts,
    tags_seen: HashSet<String>,
    blocks: Blocks,
    containers: Containers,
    leaf: Option<Leaf>,
    links: Vec<OpenLink>,
    /// Neighbouring text of the leaf that is in no link and not yet searched for tags.
    run: Range<usize>,
    /// Text before this is the mark of a task or callout.
    skip_to: usize,
    html: Stripper,
}

impl<'a> Walk<'a> {
    /// Starts a walk over the masked `text` of a note that adds to `facts`.
    pub(crate) fn new(original: &'a str, text: &'a str, facts: NoteFacts) -> Self {
        Self {
            original,
            text,
            lines: Lines::new(text),
            tags_seen: facts.tags.iter().map(|tag| tag.name.clone()).collect(),
            facts,
            blocks: Blocks::default(),
            containers: Containers::default(),
            leaf: None,
            links: Vec::new(),
            run: 0..0,
            skip_to: 0,
            html: Stripper::default(),
        }
    }

    /// Takes a range as text without any markup.
    pub(crate) fn plain(&mut self, range: Range<usize>) {
        self.open_leaf(Kind::Verbatim, range.clone());
        let text = &self.text[range.clone()];
        if let Some(leaf) = &mut self.leaf {
            leaf.push_lines(text, range.start);
        }
        self.close_leaf();
    }

    /// Reads a range as Markdown.
    pub(crate) fn markdown(&mut self, range: Range<usize>) {
        let base = range.start;
        let parser = Parser::new_ext(&self.text[range], markdown_options());
        for (event, span) in parser.into_offset_iter() {
            self.event(event, base + span.start..base + span.end);
        }
        self.close_leaf();
    }

    /// Returns everything that was found.
    pub(crate) fn finish(mut self) -> NoteFacts {
        self.close_leaf();
        self.facts.blocks = self.blocks.finish();
        self.facts
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, span),
            Event::End(tag) => self.end(tag, span),
            Event::Text(text) => self.text_event(&text, span),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.piece(&text, span.clone());
                self.mark_opaque(span);
            }
            Event::Html(text) => self.html_block(&text, span),
            Event::InlineHtml(text) => {
                if html::is_break(&text) {
                    self.gap(" ", span.end);
                }
                self.extend_leaf(span.end);
                self.mark_opaque(span);
            }
            Event::SoftBreak => self.line_break(" ", span.end),
            Event::HardBreak => self.line_break("\n", span.end),
            Event::Rule => {
                self.close_leaf();
                self.containers.forget_previous();
            }
            Event::FootnoteReference(_) => {
                self.extend_leaf(span.end);
                self.mark_opaque(span);
            }
            Event::TaskListMarker(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd, span: Range<usize>) {
        match tag {
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item | TagEnd::FootnoteDefinition => {
                self.close_leaf();
                self.containers.close(self.text);
            }
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::CodeBlock
            | TagEnd::HtmlBlock
            | TagEnd::Table => self.close_leaf(),
            TagEnd::TableHead | TagEnd::TableRow => self.gap("\n", span.end),
            TagEnd::TableCell => self.close_cell(span),
            TagEnd::Link | TagEnd::Image => self.close_link(span),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.extend_leaf(span.end);
            }
            // Only with extensions that are off.
            TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_)
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition => {}
        }
    }

    /// Takes text between marks, which may hold tags.
    fn text_event(&mut self, text: &str, span: Range<usize>) {
        let in_prose = self
            .leaf
            .as_ref()
            .is_none_or(|leaf| leaf.kind != Kind::Verbatim);
        if in_prose && self.links.is_empty() && &self.text[span.clone()] == text {
            if self.run.end != span.start {
                self.take_tags();
                self.run = span.clone();
            }
            self.run.end = span.end;
        }
        self.piece(text, span);
    }

    /// Adds what is read at `span` to the leaf, opening one where an item holds text directly.
    fn piece(&mut self, text: &str, span: Range<usize>) {
        if span.end <= self.skip_to {
            return;
        }
        let skipped = self.skip_to > span.start;
        let start = span.start.max(self.skip_to);
        if self.leaf.is_none() {
            self.open_leaf(Kind::Item, start..start);
        }
        let source = &self.text[start..span.end];
        let in_link = !self.links.is_empty();
        if let Some(leaf) = &mut self.leaf {
            leaf.extend(span.end);
            match leaf.kind {
                Kind::Verbatim => leaf.push_lines(text, start),
                // Text that long is taken as it stands, so that places in it are known.
                _ if skipped || source.len() > leaf::STRETCH_MAX => leaf.push_prose(source, start),
                Kind::Table => leaf.push(text),
                _ if !in_link && source == text => leaf.push_prose(source, start),
                _ => leaf.push(text),
            }
        }
    }

    fn html_block(&mut self, text: &str, span: Range<usize>) {
        let stripped = self.html.strip(text);
        if let Some(leaf) = &mut self.leaf {
            leaf.push_lines(&stripped, span.start);
        }
    }

    fn line_break(&mut self, gap: &str, next: usize) {
        let Some(leaf) = &mut self.leaf else {
            return;
        };
        match leaf.callout.take() {
            Some(callout) => {
                let title = clip(leaf.text.trim()).to_owned();
                self.title_callout(callout, &title);
                self.gap("\n", next);
            }
            None => self.gap(gap, next),
        }
    }

    /// Adds white space and notes that the leaf may be cut after it.
    fn gap(&mut self, gap: &str, next: usize) {
        if let Some(leaf) = &mut self.leaf {
            leaf.push(gap);
            leaf.mark(next);
        }
    }

    fn extend_leaf(&mut self, end: usize) {
        if let Some(leaf) = &mut self.leaf {
            leaf.extend(end);
        }
    }

    /// Notes that nothing between the ends of `span` is a tag or a field.
    fn mark_opaque(&mut self, span: Range<usize>) {
        if let Some(leaf) = &mut self.leaf
            && self.links.is_empty()
        {
            leaf.opaque.push(span);
        }
    }
}
