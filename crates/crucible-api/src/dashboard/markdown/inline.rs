//! What happens at each start, end and run of text.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, HeadingLevel, LinkType, Tag, TagEnd};

use super::super::attachment::picture_url;
use super::links::Destination;
use super::writer::Writer;
use super::{OpenHeading, OpenLink, Page, Paragraph, heading_id};
use crate::percent;

/// How far into an item the mark of a task can stand.
const TASK_MARK_MAX_BYTES: usize = 64;

impl Page<'_> {
    pub(super) fn start(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Paragraph => self.paragraph = Paragraph::Due,
            Tag::Heading { level, .. } => self.open_heading(level, range.start),
            Tag::BlockQuote(_) => self.open_quote(range),
            Tag::CodeBlock(kind) => self.open_code(&kind),
            Tag::HtmlBlock => self.block("<pre class=\"raw-html\" tabindex=\"0\">"),
            Tag::List(Some(1)) => self.block("<ol>\n"),
            Tag::List(Some(first)) => {
                self.block("<ol");
                self.out.attribute("start", &first.to_string());
                self.out.raw(">\n");
            }
            Tag::List(None) => self.block("<ul>\n"),
            Tag::Item => self.open_item(range),
            Tag::FootnoteDefinition(label) => {
                let number = self.footnote(&label);
                self.block("<div class=\"footnote\" id=\"fn-");
                self.out.number(number);
                self.out.raw("\"><span class=\"footnote-number\">");
                self.out.number(number);
                self.out.raw("</span><div>");
            }
            Tag::Table(columns) => {
                self.columns = columns;
                self.block("<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table>\n");
            }
            Tag::TableHead => {
                self.in_table_head = true;
                self.column = 0;
                self.out.raw("<thead><tr>");
            }
            Tag::TableRow => {
                self.column = 0;
                self.out.raw("<tr>");
            }
            Tag::TableCell => self.open_cell(),
            Tag::Emphasis => self.inline(range, |out| out.raw("<em>")),
            Tag::Strong => self.inline(range, |out| out.raw("<strong>")),
            Tag::Strikethrough => self.inline(range, |out| out.raw("<del>")),
            Tag::Link {
                link_type,
                dest_url,
                ..
            } => self.open_link(link_type, &dest_url, range, false),
            Tag::Image {
                link_type,
                dest_url,
                ..
            } => self.open_link(link_type, &dest_url, range, true),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, tag: TagEnd, range: &Range<usize>) {
        match tag {
            TagEnd::Paragraph => {
                if self.paragraph == Paragraph::Open {
                    self.out.raw("</p>\n");
                }
                self.paragraph = Paragraph::None;
            }
            TagEnd::Heading(_) => self.close_heading(),
            TagEnd::BlockQuote(_) => {
                let closer = self.quotes.pop().unwrap_or("</blockquote>\n");
                self.out.raw(closer);
            }
            TagEnd::CodeBlock => {
                self.in_code = false;
                self.out.raw("</code></pre>\n");
            }
            TagEnd::HtmlBlock => self.out.raw("</pre>\n"),
            TagEnd::List(true) => self.out.raw("</ol>\n"),
            TagEnd::List(false) => self.out.raw("</ul>\n"),
            TagEnd::Item => self.out.raw("</li>\n"),
            TagEnd::FootnoteDefinition => self.out.raw("</div></div>\n"),
            TagEnd::Table => self.out.raw("</tbody></table></div>\n"),
            TagEnd::TableHead => {
                self.in_table_head = false;
                self.out.raw("</tr></thead>\n<tbody>\n");
            }
            TagEnd::TableRow => self.out.raw("</tr>\n"),
            TagEnd::TableCell => {
                self.out
                    .raw(if self.in_table_head { "</th>" } else { "</td>" });
                self.column += 1;
            }
            TagEnd::Emphasis => self.inline(range, |out| out.raw("</em>")),
            TagEnd::Strong => self.inline(range, |out| out.raw("</strong>")),
            TagEnd::Strikethrough => self.inline(range, |out| out.raw("</del>")),
            TagEnd::Link | TagEnd::Image => self.close_link(range),
            _ => {}
        }
    }

    /// Writes what stands for a piece of inline text, unless that was shown as something else.
    pub(super) fn inline(&mut self, range: &Range<usize>, write: impl FnOnce(&mut Writer)) {
        if range.start < self.skip_to || self.silent.is_some() {
            return;
        }
        self.flush_paragraph();
        write(&mut self.out);
    }

    /// Writes words, with tags as links.
    pub(super) fn words(&mut self, text: &str, range: Range<usize>) {
        if self.silent.is_some() || range.end <= self.skip_to {
            return;
        }
        // Text that differs from its source (entities) is never part of a mark.
        let skipped = self.skip_to.saturating_sub(range.start);
        let text = if skipped > 0 && text.len() == range.len() {
            text.get(skipped..).unwrap_or(text).trim_start()
        } else {
            text
        };
        if self.in_code {
            self.out.text(text);
            return;
        }
        self.flush_paragraph();
        let text = self.block_mark(text);
        self.with_tags(&text);
    }

    /// Takes a block identifier off the end of `text`, and leaves the place that it names.
    fn block_mark(&mut self, text: &str) -> String {
        let Some((before, id)) = text.rsplit_once('^') else {
            return text.to_owned();
        };
        let id = id.trim_end();
        let stands_alone = before.is_empty() || before.ends_with(char::is_whitespace);
        if !stands_alone || !self.blocks.contains(&id) {
            return text.to_owned();
        }
        self.out.raw("<span class=\"block-mark\"");
        self.out.attribute("id", &format!("b-{id}"));
        self.out.raw("></span>");
        before.to_owned()
    }

    fn with_tags(&mut self, text: &str) {
        let mut rest = text;
        while let Some(hash) = rest.find('#') {
            let (before, from) = rest.split_at(hash);
            self.out.text(before);
            let opens = before.is_empty() || before.ends_with(|c: char| !c.is_alphanumeric());
            let name = tag_name(&from[1..]);
            let folded = crucible_notes::names::fold(name);
            if opens
                && !name.is_empty()
                && self.open_links.is_empty()
                && self.tags.contains(&folded)
            {
                let mut url = String::from("/notes?tag=");
                percent::push(&mut url, name);
                self.out.raw("<a class=\"tag\"");
                self.out.attribute("href", &url);
                self.out.raw(">#");
                self.out.text(name);
                self.out.raw("</a>");
                rest = &from[1 + name.len()..];
            } else {
                self.out.text("#");
                rest = &from[1..];
            }
        }
        self.out.text(rest);
    }

    pub(super) fn footnote_reference(&mut self, label: &str, range: &Range<usize>) {
        let number = self.footnote(label);
        self.inline(range, |out| {
            out.raw("<sup><a href=\"#fn-");
            out.number(number);
            out.raw("\">");
            out.number(number);
            out.raw("</a></sup>");
        });
    }

    /// The number of a footnote: they count in the order in which they are met.
    fn footnote(&mut self, label: &str) -> usize {
        let known = self.footnotes.iter().position(|one| one == label);
        let index = known.unwrap_or_else(|| {
            self.footnotes.push(label.to_owned());
            self.footnotes.len() - 1
        });
        index + 1
    }

    fn block(&mut self, markup: &'static str) {
        self.anything_shown = true;
        self.out.raw(markup);
    }

    fn flush_paragraph(&mut self) {
        if self.paragraph == Paragraph::Due {
            self.paragraph = Paragraph::Open;
            self.anything_shown = true;
            self.out.raw("<p dir=\"auto\">");
        }
    }

    fn open_heading(&mut self, level: HeadingLevel, at: usize) {
        let line = self.line_at(at);
        let text = self.headings.get(&line).copied().unwrap_or_default();
        self.heading = Some(OpenHeading {
            level: level as u8,
            before: std::mem::take(&mut self.out),
            text: text.to_owned(),
        });
    }

    fn close_heading(&mut self) {
        let Some(heading) = self.heading.take() else {
            return;
        };
        let words = std::mem::replace(&mut self.out, heading.before);
        let fold = |text: &str| crucible_notes::names::fold(text.trim());
        let repeats_title = heading.level == 1 && fold(&heading.text) == fold(self.title);
        if repeats_title && !self.anything_shown {
            self.anything_shown = true;
            return;
        }
        self.anything_shown = true;
        let mut id = heading_id(&heading.text);
        let seen = self.heading_ids.entry(id.clone()).or_default();
        *seen += 1;
        if *seen > 1 {
            id = format!("{id}-{seen}");
        }
        let (open, close) = match heading.level {
            1 => ("<h2 class=\"chapter\" dir=\"auto\"", "</h2>\n"),
            2 => ("<h2 dir=\"auto\"", "</h2>\n"),
            3 => ("<h3 dir=\"auto\"", "</h3>\n"),
            4 => ("<h4 dir=\"auto\"", "</h4>\n"),
            5 => ("<h5 dir=\"auto\"", "</h5>\n"),
            _ => ("<h6 dir=\"auto\"", "</h6>\n"),
        };
        self.out.raw(open);
        self.out.attribute("id", &id);
        self.out.raw(">");
        self.out.part(&words);
        self.out.raw(close);
    }

    fn open_quote(&mut self, range: &Range<usize>) {
        let line = self.line_at(range.start);
        let Some(callout) = self.callouts.get(&line).copied() else {
            self.block("<blockquote>\n");
            self.quotes.push("</blockquote>\n");
            return;
        };
        self.skip_to = self.line_end(range.start);
        let title = callout
            .title
            .clone()
            .unwrap_or_else(|| sentence_case(&callout.kind));
        let (open, close) = match callout.fold {
            Some('-') => ("<details class=\"callout\"", "</details>\n"),
            Some(_) => ("<details open class=\"callout\"", "</details>\n"),
            None => ("<div class=\"callout\"", "</div>\n"),
        };
        self.block(open);
        self.out
            .attribute("data-kind", callout_family(&callout.kind));
        self.out.raw(">");
        match callout.fold {
            Some(_) => self
                .out
                .element("summary", " class=\"callout-title\" dir=\"auto\"", &title),
            None => self
                .out
                .element("p", " class=\"callout-title\" dir=\"auto\"", &title),
        }
        self.out.raw("\n");
        self.quotes.push(close);
    }

    fn open_code(&mut self, kind: &CodeBlockKind<'_>) {
        self.in_code = true;
        self.block("<pre class=\"code\" tabindex=\"0\"");
        if let CodeBlockKind::Fenced(language) = kind {
            let language = language.split_whitespace().next().unwrap_or_default();
            if !language.is_empty() {
                self.out.attribute("data-language", language);
            }
        }
        self.out.raw("><code>");
    }

    fn open_item(&mut self, range: &Range<usize>) {
        self.anything_shown = true;
        let mark = (range.start..range.end.min(range.start + TASK_MARK_MAX_BYTES))
            .find_map(|at| self.tasks.get(&at).copied())
            .filter(|task| self.line_at(task.status_span.start) == self.line_at(range.start));
        let Some(task) = mark else {
            self.out.raw("<li dir=\"auto\">");
            return;
        };
        let (class, label) = match task.status {
            ' ' => ("open", "open"),
            'x' | 'X' => ("done", "done"),
            '-' => ("cancelled", "cancelled"),
            _ => ("other", "marked"),
        };
        self.out.raw("<li dir=\"auto\" class=\"task\"");
        self.out.attribute("data-status", class);
        self.out.raw("><span class=\"box\" role=\"img\"");
        self.out.attribute("aria-label", label);
        self.out.raw("></span>");
        self.skip_to = task.status_span.end + 1;
    }

    fn open_cell(&mut self) {
        let alignment = self.columns.get(self.column).copied();
        self.out.raw(if self.in_table_head {
            "<th scope=\"col\" dir=\"auto\""
        } else {
            "<td dir=\"auto\""
        });
        self.out.raw(match alignment {
            Some(Alignment::Right) => " class=\"right\">",
            Some(Alignment::Center) => " class=\"center\">",
            _ => ">",
        });
    }

    fn open_link(&mut self, kind: LinkType, address: &str, range: &Range<usize>, embeds: bool) {
        if range.start < self.skip_to || self.silent.is_some() {
            return;
        }
        self.flush_paragraph();
        let address = match kind {
            LinkType::Email => format!("mailto:{address}"),
            _ => address.to_owned(),
        };
        let destination = self.links.destination(range.start, &address);
        if let (true, Destination::File(path)) = (embeds, &destination)
            && let Some(url) = picture_url(path)
        {
            self.picture(&url, path, range.start);
            return;
        }
        let close = match destination {
            Destination::Note(url) => {
                self.out
                    .raw(if embeds { "<a class=\"embed\"" } else { "<a" });
                self.out.attribute("href", &url);
                self.out.raw(">");
                "</a>"
            }
            Destination::Web(url) => {
                self.out
                    .raw("<a class=\"external\" rel=\"noopener noreferrer nofollow\"");
                self.out.attribute("href", &url);
                self.out.raw(">");
                "</a>"
            }
            Destination::File(path) => {
                self.out.raw("<span class=\"file\"");
                self.out.attribute("title", &path);
                self.out.raw(">");
                "</span>"
            }
            Destination::Missing => {
                self.out
                    .raw("<span class=\"unresolved\" title=\"Nothing has this name\">");
                "</span>"
            }
            Destination::Refused => {
                self.out
                    .raw("<span class=\"refused\" title=\"This address is not followed\">");
                "</span>"
            }
        };
        self.open_links.push(OpenLink {
            closer: close,
            written: self.out.len(),
            address,
        });
        let link = self.links.at(range.start);
        let is_wiki = matches!(kind, LinkType::WikiLink { .. });
        let is_bare = link.is_some_and(|link| {
            let alias = link.alias.as_deref();
            alias.map_or(is_wiki || embeds, |alias| embeds && is_size(alias))
        });
        if let Some(link) = link.filter(|_| is_bare) {
            let path = [&link.target]
                .into_iter()
                .filter(|target| !target.is_empty());
            let words: Vec<&str> = path
                .chain(&link.headings)
                .chain(&link.block)
                .map(String::as_str)
                .collect();
            self.out.text(&words.join(" › "));
            self.silent = Some(range.start);
        }
    }

    /// Shows a picture of the vault; the words in the link say what is on it, or how wide it is.
    fn picture(&mut self, url: &str, path: &str, start: usize) {
        let alias = self.links.at(start).and_then(|link| link.alias.as_deref());
        // Obsidian: `words|300` or `300x200`.
        let (words, size) = match alias.unwrap_or_default().rsplit_once('|') {
            Some((words, size)) if is_size(size) => (words, Some(size)),
            _ => match alias {
                Some(size) if is_size(size) => ("", Some(size)),
                alias => (alias.unwrap_or_default(), None),
            },
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        let words = if words.trim().is_empty() { name } else { words };
        self.out.raw("<img class=\"picture\" loading=\"lazy\"");
        self.out.attribute("src", url);
        self.out.attribute("alt", words);
        if let Some(size) = size {
            let (width, height) = size.split_once('x').unwrap_or((size, ""));
            self.out.attribute("width", width);
            if !height.is_empty() {
                self.out.attribute("height", height);
            }
        }
        self.out.raw(">");
        self.open_links.push(OpenLink {
            closer: "",
            // Never where the writer stands: there is nothing to fill in.
            written: usize::MAX,
            address: String::new(),
        });
        self.silent = Some(start);
    }

    fn close_link(&mut self, range: &Range<usize>) {
        if range.start < self.skip_to || self.silent.is_some_and(|start| start != range.start) {
            return;
        }
        self.silent = None;
        if let Some(link) = self.open_links.pop() {
            if self.out.len() == link.written {
                self.out.text(&link.address);
            }
            self.out.raw(link.closer);
        }
    }
}

/// The name of a tag at the start of `text`.
fn tag_name(text: &str) -> &str {
    let is_part = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '/') || (!c.is_ascii() && !c.is_whitespace())
    };
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text[..end].trim_end_matches('/')
}

/// Whether the words of an embed are only its size: `300` or `300x200`.
fn is_size(words: &str) -> bool {
    words.starts_with(|c: char| c.is_ascii_digit())
        && words.bytes().all(|b| b.is_ascii_digit() || b == b'x')
}

fn sentence_case(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The colours of callouts come in a few families.
fn callout_family(kind: &str) -> &'static str {
    match kind {
        "tip" | "hint" | "important" | "success" | "check" | "done" => "good",
        "warning" | "caution" | "attention" | "question" | "help" | "faq" => "warn",
        "danger" | "error" | "bug" | "failure" | "fail" | "missing" => "bad",
        "quote" | "cite" | "example" => "quiet",
        _ => "note",
    }
}
