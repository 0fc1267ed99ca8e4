//! A note's Markdown as HTML that can do nothing.
//!
//! Markup comes only from this module's source: raw HTML in a note is shown as the text that it
//! is, and an address is followed only when it leads to a note of the vault or has a scheme of the
//! list in `links`. Every identifier has a prefix, so that a heading cannot take the name of a part
//! of the page. What is nested deeper than `crucible_notes` allows is text already.

mod inline;
mod links;
mod writer;

use std::collections::HashMap;
use std::ops::Range;

use crucible_notes::{Callout, NoteFacts, Task, Visible, markdown_options};
use crucible_services::data_store::OutgoingLink;
use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Parser};

use links::Links;
use writer::Writer;

/// How much of a note is shown; the rest is left to the file itself.
const SHOWN_MAX_BYTES: usize = 1024 * 1024;

/// A rendered note.
pub(super) struct Rendered {
    /// The note as HTML.
    pub(super) html: Markup,
    /// How many bytes were left out at the end.
    pub(super) left_out: usize,
}

/// Renders a note. `title` is shown elsewhere: a first heading that repeats it is left out.
/// `outgoing` says where its links lead.
pub(super) fn render(text: &str, title: &str, outgoing: &[OutgoingLink]) -> Rendered {
    let shown = &text[..floor(text, SHOWN_MAX_BYTES)];
    let facts = crucible_notes::parse(shown);
    let seen = crucible_notes::visible(shown);
    let mut page = Page::new(&seen, &facts, title, outgoing);
    let parser = Parser::new_ext(seen.markdown(), markdown_options());
    for (event, range) in parser.into_offset_iter() {
        page.event(event, range.start + seen.start..range.end + seen.start);
    }
    Rendered {
        html: PreEscaped(page.finish()),
        left_out: text.len() - shown.len(),
    }
}

/// Returns the identifier of a heading within the page, as links name it.
pub(super) fn heading_id(heading: &str) -> String {
    format!("h-{}", crucible_notes::names::slug(heading))
}

/// The greatest character boundary that is not after `at`.
fn floor(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}

/// A note on its way to HTML.
struct Page<'a> {
    out: Writer,
    /// The text that ranges index, comments blanked.
    text: &'a str,
    title: &'a str,
    links: Links<'a>,
    /// Names of the tags that the note carries, folded.
    tags: Vec<String>,
    /// By where the character in the brackets stands.
    tasks: HashMap<usize, &'a Task>,
    /// By the line of their start.
    callouts: HashMap<u64, &'a Callout>,
    blocks: Vec<&'a str>,
    lines: Vec<usize>,
    /// Inline text before this was shown as something else.
    skip_to: usize,
    /// Where the link begins that was given words instead of those in it.
    silent: Option<usize>,
    open_links: Vec<OpenLink>,
    /// Closing tags of the quotes and callouts that are open.
    quotes: Vec<&'static str>,
    paragraph: Paragraph,
    /// By the line of their start.
    headings: HashMap<u64, &'a str>,
    heading: Option<OpenHeading>,
    anything_shown: bool,
    heading_ids: HashMap<String, usize>,
    footnotes: Vec<String>,
    in_code: bool,
    in_table_head: bool,
    columns: Vec<pulldown_cmark::Alignment>,
    column: usize,
}

/// A paragraph is opened by its first text, so that none stays empty.
#[derive(PartialEq, Eq)]
enum Paragraph {
    None,
    Due,
    Open,
}

/// A heading that is being read: what it says decides whether it is shown.
struct OpenHeading {
    level: u8,
    /// What comes before it.
    before: Writer,
    text: String,
}

/// A link whose end has not come.
struct OpenLink {
    closer: &'static str,
    /// How much was written before its words.
    written: usize,
    /// What is shown when it has no words.
    address: String,
}

impl<'a> Page<'a> {
    fn new(
        seen: &'a Visible<'a>,
        facts: &'a NoteFacts,
        title: &'a str,
        outgoing: &'a [OutgoingLink],
    ) -> Self {
        let text = &*seen.text;
        let lines = memory_of_lines(text);
        Self {
            out: Writer::default(),
            text,
            title,
            links: Links::new(facts, outgoing),
            tags: facts
                .tags
                .iter()
                .map(|tag| crucible_notes::names::fold(&tag.name))
                .collect(),
            tasks: facts
                .tasks
                .iter()
                .map(|task| (task.status_span.start, task))
                .collect(),
            callouts: facts.callouts.iter().map(|one| (one.line, one)).collect(),
            blocks: facts
                .blocks
                .iter()
                .flat_map(|block| &block.ids)
                .map(|id| id.id.as_str())
                .collect(),
            lines,
            skip_to: 0,
            silent: None,
            open_links: Vec::new(),
            quotes: Vec::new(),
            paragraph: Paragraph::None,
            headings: facts
                .headings
                .iter()
                .map(|heading| (heading.line, heading.text.as_str()))
                .collect(),
            heading: None,
            anything_shown: false,
            heading_ids: HashMap::new(),
            footnotes: Vec::new(),
            in_code: false,
            in_table_head: false,
            columns: Vec::new(),
            column: 0,
        }
    }

    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, &range),
            Event::End(tag) => self.end(tag, &range),
            Event::Text(text) => self.words(&text, range),
            Event::Code(text) => self.inline(&range, |out| out.element("code", "", &text)),
            Event::InlineMath(text) => self.inline(&range, |out| {
                out.element("code", " class=\"math\"", &text);
            }),
            Event::DisplayMath(text) => self.inline(&range, |out| {
                out.element("code", " class=\"math display\"", &text);
            }),
            // As text: what looks like markup in a note is something to read, not to obey.
            Event::Html(text) | Event::InlineHtml(text) => self.words(&text, range),
            Event::FootnoteReference(label) => self.footnote_reference(&label, &range),
            Event::SoftBreak | Event::HardBreak => self.inline(&range, |out| out.raw("<br>\n")),
            Event::Rule => {
                self.anything_shown = true;
                self.out.raw("<hr>\n");
            }
            Event::TaskListMarker(_) => {}
        }
    }

    /// The line of a place in the text, from 1.
    fn line_at(&self, at: usize) -> u64 {
        self.lines.partition_point(|&start| start <= at) as u64
    }

    /// Where the line of a place ends, its line feed included.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |feed| at + feed + 1)
    }

    fn finish(mut self) -> String {
        // The parser closes everything; a heading that it did not would be lost otherwise.
        if let Some(heading) = self.heading.take() {
            self.out = heading.before;
        }
        self.out.into_string()
    }
}

/// Where each line begins.
fn memory_of_lines(text: &str) -> Vec<usize> {
    let feeds = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0)
        .chain(feeds.map(|(at, _)| at + 1))
        .collect()
}

#[cfg(test)]
mod tests;
