//! Targets that stand in a definition: `[label]: target "title"`.

use pulldown_cmark::Parser;

use super::Place;
use super::place::{destination, target_at};
use crate::body::link::local;
use crate::facts::{Link, LinkKind};
use crate::parse::markdown_options;

/// Finds the targets of the definitions in the body of a note, in no order.
pub(super) fn places(text: &str, masked: &str, body: usize) -> Vec<(Place, String)> {
    if !text[body..].contains("]:") {
        return Vec::new();
    }
    let parser = Parser::new_ext(&masked[body..], markdown_options());
    let definitions = parser.reference_definitions();
    definitions
        .iter()
        .filter_map(|(_, definition)| {
            let target = local(&definition.dest)?.path;
            let span = body + definition.span.start..body + definition.span.end;
            let source = &text[span.clone()];
            let (mut place, _) = source.match_indices("]:").find_map(|(at, mark)| {
                let found = destination(source, at + mark.len())?;
                (target_at(source, &found.0)? == target).then_some(found)
            })?;
            place.range.start += span.start;
            place.range.end += span.start;
            (!target.is_empty()).then_some((place, target))
        })
        .collect()
}

/// Says whether `link` may be written with a label instead of a target.
pub(super) fn is_used_by(text: &str, link: &Link) -> bool {
    let is_markdown = matches!(link.kind, LinkKind::Markdown | LinkKind::MarkdownEmbed);
    is_markdown && text[link.span.clone()].ends_with(']')
}
