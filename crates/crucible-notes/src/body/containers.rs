//! Quotes, lists and items around the place where the walk is, and how blocks open.

use std::ops::Range;

use pulldown_cmark::Tag as Markup;

use super::leaf::{Kind, Leaf};
use super::{Walk, marker};
use crate::facts::{Callout, Task};
use crate::spans::{line_end, trim_end};

/// What can hold other blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Quote,
    List,
    Item,
    Footnote,
}

#[derive(Debug)]
struct Container {
    shape: Shape,
    span: Range<usize>,
    /// The block before the place where the walk is, directly within this container.
    previous: Option<Range<usize>>,
    /// Whether a block was opened in it.
    used: bool,
    /// The task that this item is, as long as its text is awaited.
    task: Option<usize>,
}

/// The containers from the outside in.
#[derive(Debug, Default)]
pub(super) struct Containers {
    open: Vec<Container>,
    /// The block before, outside of all containers.
    previous: Option<Range<usize>>,
    /// Where the marks before the next leaf begin.
    marks_start: Option<usize>,
}

impl Containers {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn open(&mut self, shape: Shape, span: Range<usize>) {
        self.enter(span.start);
        self.open.push(Container {
            shape,
            span,
            previous: None,
            used: false,
            task: None,
        });
    }

    /// Notes that a block begins; tells whether it is the first in its container.
    pub(super) fn enter(&mut self, start: usize) -> bool {
        self.marks_start.get_or_insert(start);
        match self.open.last_mut() {
            Some(container) => !std::mem::replace(&mut container.used, true),
            None => false,
        }
    }

    pub(super) fn close(&mut self, text: &str) {
        if let Some(container) = self.open.pop() {
            self.set_previous(trim_end(text, container.span));
        }
    }

    pub(super) fn previous(&self) -> Option<Range<usize>> {
        match self.open.last() {
            Some(container) => container.previous.clone(),
            None => self.previous.clone(),
        }
    }

    pub(super) fn set_previous(&mut self, span: Range<usize>) {
        match self.open.last_mut() {
            Some(container) => container.previous = Some(span),
            None => self.previous = Some(span),
        }
    }

    pub(super) fn forget_previous(&mut self) {
        match self.open.last_mut() {
            Some(container) => container.previous = None,
            None => self.previous = None,
        }
    }

    /// Takes where the marks before the leaf begin, so that a block shows its list mark.
    pub(super) fn take_marks_start(&mut self) -> Option<usize> {
        self.marks_start.take()
    }

    pub(super) fn put_marks_start(&mut self, start: usize) {
        self.marks_start = Some(start);
    }

    /// The innermost container, if it is an item.
    pub(super) fn item(&self) -> Option<Range<usize>> {
        let container = self.open.last()?;
        (container.shape == Shape::Item).then(|| container.span.clone())
    }

    /// The outermost quote.
    pub(super) fn quote(&self) -> Option<Range<usize>> {
        let mut shapes = self.open.iter();
        let container = shapes.find(|container| container.shape == Shape::Quote)?;
        Some(container.span.clone())
    }

    fn in_quote(&self) -> bool {
        self.open
            .last()
            .is_some_and(|container| container.shape == Shape::Quote)
    }

    fn take_task(&mut self) -> Option<usize> {
        self.open.last_mut()?.task.take()
    }
}

impl Walk<'_> {
    pub(super) fn start(&mut self, markup: Markup<'_>, span: Range<usize>) {
        match markup {
            Markup::BlockQuote(_) => self.open_container(Shape::Quote, span),
            Markup::List(_) => self.open_container(Shape::List, span),
            Markup::Item => self.open_item(span),
            Markup::FootnoteDefinition(_) => self.open_container(Shape::Footnote, span),
            Markup::Paragraph => self.open_paragraph(span),
            Markup::Heading { level, .. } => {
                let level = level as u8;
                let kind = match self.containers.is_empty() {
                    true => Kind::Heading(level),
                    false => Kind::Paragraph,
                };
                self.open_leaf(kind, span);
            }
            Markup::CodeBlock(_) => self.open_leaf(Kind::Verbatim, span),
            Markup::HtmlBlock => {
                self.html = super::Stripper::default();
                self.open_leaf(Kind::Verbatim, span);
            }
            Markup::Table(_) => self.open_leaf(Kind::Table, span),
            Markup::TableRow => self.open_row(span.start),
            Markup::Link {
                link_type,
                dest_url,
                ..
            } => self.open_link(link_type, &dest_url, span, false),
            Markup::Image {
                link_type,
                dest_url,
                ..
            } => self.open_link(link_type, &dest_url, span, true),
            Markup::TableHead
            | Markup::TableCell
            | Markup::Emphasis
            | Markup::Strong
            | Markup::Strikethrough => {}
            // Only with extensions that are off.
            Markup::Superscript
            | Markup::Subscript
            | Markup::MetadataBlock(_)
            | Markup::DefinitionList
            | Markup::DefinitionListTitle
            | Markup::DefinitionListDefinition => {}
        }
    }

    fn open_container(&mut self, shape: Shape, span: Range<usize>) {
        self.close_leaf();
        self.containers.open(shape, span);
    }

    fn open_item(&mut self, span: Range<usize>) {
        let task = marker::task(&self.text[span.start..line_end(self.text, span.start)]);
        self.open_container(Shape::Item, span.clone());
        let Some(task) = task else {
            return;
        };
        let at = span.start + task.status_at;
        self.skip_to = span.start + task.end;
        if let Some(item) = self.containers.open.last_mut() {
            item.task = Some(self.facts.tasks.len());
        }
        self.facts.tasks.push(Task {
            status: task.status,
            text: String::new(),
            line: self.lines.at(span.start),
            status_span: at..at + task.status.len_utf8(),
        });
    }

    fn open_paragraph(&mut self, span: Range<usize>) {
        let in_quote = self.containers.in_quote();
        self.open_leaf(Kind::Paragraph, span.clone());
        if !(in_quote && self.leaf.as_ref().is_some_and(|leaf| leaf.first)) {
            return;
        }
        let Some(mark) = marker::callout(&self.text[span.start..line_end(self.text, span.start)])
        else {
            return;
        };
        self.skip_to = span.start + mark.end;
        if let Some(leaf) = &mut self.leaf {
            leaf.callout = Some(self.facts.callouts.len());
            leaf.content = self.skip_to;
        }
        self.facts.callouts.push(Callout {
            kind: mark.kind,
            title: None,
            fold: mark.fold,
            line: self.lines.at(span.start),
        });
    }

    /// Opens a leaf after closing the one before.
    pub(super) fn open_leaf(&mut self, kind: Kind, span: Range<usize>) {
        self.close_leaf();
        if let Kind::Heading(_) = kind {
            self.containers.take_marks_start();
        }
        let first = self.containers.enter(span.start);
        let mut leaf = Leaf::new(kind, span);
        leaf.content = leaf.span.start.max(self.skip_to.min(leaf.span.end));
        leaf.first = first;
        if first && matches!(kind, Kind::Paragraph | Kind::Item) {
            leaf.task = self.containers.take_task();
        }
        self.run = 0..0;
        self.leaf = Some(leaf);
    }

    fn open_row(&mut self, start: usize) {
        if let Some(leaf) = &mut self.leaf {
            leaf.row = Some((start, leaf.text.len()));
        }
    }
}
