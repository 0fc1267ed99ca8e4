//! Links while their text is read.

use std::ops::Range;

use pulldown_cmark::LinkType;

use super::{Walk, link};
use crate::facts::{Link, LinkKind};
use crate::mask::FILLER;
use crate::names::{LinkParts, base_name, split_target, split_wikilink};
use crate::spans::clip;

/// Deepest link whose text is kept: images nest, and each repeats the text of those within.
const NESTING_MAX: usize = 8;

/// A link whose end has not come.
#[derive(Debug)]
pub(super) struct OpenLink {
    /// Its index in the facts, unless it leads out of the vault.
    link: Option<usize>,
    /// Where its text begins in the text of the leaf.
    text_from: usize,
    /// Whether there is text that stands for the target.
    has_alias: bool,
}

impl Walk<'_> {
    pub(super) fn open_link(
        &mut self,
        kind: LinkType,
        target: &str,
        span: Range<usize>,
        embeds: bool,
    ) {
        if self.links.is_empty() {
            self.take_tags();
            self.mark_opaque(span.clone());
        }
        let inert = span.start < self.skip_to;
        // The parser leaves the empty brackets of `[a][]` out.
        let empty = kind == LinkType::Collapsed && self.text[span.end..].starts_with("[]");
        let span = span.start..span.end + if empty { "[]".len() } else { 0 };
        let (parts, kind, has_alias) = match kind {
            LinkType::WikiLink { has_pothole } => {
                let kind = if embeds {
                    LinkKind::Embed
                } else {
                    LinkKind::Wikilink
                };
                (self.wiki_target(&span), kind, has_pothole)
            }
            LinkType::Autolink | LinkType::Email => (None, LinkKind::Markdown, false),
            _ => {
                let kind = if embeds {
                    LinkKind::MarkdownEmbed
                } else {
                    LinkKind::Markdown
                };
                (link::local(target), kind, true)
            }
        };
        let link = parts.filter(|_| !inert).map(|parts| {
            self.facts.links.push(Link {
                kind,
                target: parts.path,
                headings: parts.headings,
                block: parts.block,
                alias: None,
                line: self.lines.at(span.start),
                span,
            });
            self.facts.links.len() - 1
        });
        self.links.push(OpenLink {
            link,
            text_from: self.leaf.as_ref().map_or(0, |leaf| leaf.text.len()),
            has_alias: has_alias && self.links.len() < NESTING_MAX,
        });
    }

    /// Reads the target from the source, where the parser leaves the `\` that tables need.
    fn wiki_target(&self, span: &Range<usize>) -> Option<LinkParts> {
        let source = self.text[span.clone()].trim_start_matches('!');
        let inner = source.strip_prefix("[[")?.strip_suffix("]]")?;
        let (target, _) = split_wikilink(inner);
        if target.contains('\n') || target.contains("://") {
            return None;
        }
        let parts = match target.contains(char::from(FILLER)) {
            true => split_target(&target.replace(char::from(FILLER), "")),
            false => split_target(target),
        };
        (!parts.is_empty()).then_some(parts)
    }

    pub(super) fn close_link(&mut self, span: Range<usize>) {
        let Some(open) = self.links.pop() else {
            return;
        };
        let (Some(leaf), Some(link)) = (&mut self.leaf, open.link) else {
            self.extend_leaf(span.end);
            return;
        };
        leaf.extend(span.end);
        let link = &mut self.facts.links[link];
        let text = leaf.text[open.text_from..].trim();
        if open.has_alias && !text.is_empty() {
            link.alias = Some(clip(text).to_owned());
        }
        let embeds = matches!(link.kind, LinkKind::Embed | LinkKind::MarkdownEmbed);
        if text.is_empty() || (embeds && open.has_alias && is_size(text)) {
            leaf.text.truncate(open.text_from);
            leaf.text.push_str(match link.kind {
                LinkKind::MarkdownEmbed => base_name(&link.target),
                _ => &link.target,
            });
        }
    }
}

/// Whether the text after `|` is only the size of an image: `300` or `300x200`.
fn is_size(text: &str) -> bool {
    text.len() <= 16
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'x')
}
