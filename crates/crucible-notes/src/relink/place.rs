//! Finds where the target of a link stands in the source.

use std::ops::Range;

use super::{Notation, Place};
use crate::body::link::local;
use crate::facts::{Link, LinkKind};
use crate::names::{split_target, split_wikilink};

/// Returns where the target of `link` stands; `None` where it is not within the link, or not
/// written so that it can be replaced.
pub(super) fn of_link(text: &str, link: &Link) -> Option<Place> {
    match link.kind {
        LinkKind::Wikilink | LinkKind::Embed => of_wikilink(text, link),
        LinkKind::Markdown | LinkKind::MarkdownEmbed => of_markdown(text, link),
        LinkKind::Property => None,
    }
}

fn of_wikilink(text: &str, link: &Link) -> Option<Place> {
    let source = &text[link.span.clone()];
    let inner = source
        .trim_start_matches('!')
        .strip_prefix("[[")?
        .strip_suffix("]]")?;
    let range = path_in(inner, offset(text, inner));
    let is_target = text[range.clone()] == link.target;
    is_target.then_some(Place {
        range,
        notation: Notation::Wiki,
    })
}

/// Returns where the path stands in what is between `[[` and `]]`.
fn path_in(inner: &str, at: usize) -> Range<usize> {
    let (target, _) = split_wikilink(inner);
    let path = target.split('#').next().unwrap_or(target).trim_end();
    let start = at + offset(inner, target);
    start..start + path.len()
}

/// Returns where `part`, a piece of `whole`, begins in it.
fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// Finds the wikilinks in frontmatter, with their targets.
pub(super) fn in_properties(text: &str, front: &Range<usize>) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    let mut rest = &text[front.clone()];
    while let Some((_, after)) = rest.split_once("[[") {
        let Some((inner, next)) = after.split_once("]]") else {
            break;
        };
        rest = next;
        let inner = inner.rsplit("[[").next().unwrap_or(inner);
        let range = path_in(inner, offset(text, inner));
        let target = text[range.clone()].to_owned();
        if target.is_empty() || inner.contains('\n') || target.contains("://") {
            continue;
        }
        let place = Place {
            range,
            notation: Notation::Property,
        };
        found.push((place, split_target(&target).path));
    }
    found
}

fn of_markdown(text: &str, link: &Link) -> Option<Place> {
    let source = &text[link.span.clone()];
    let found: Vec<Place> = source
        .match_indices("](")
        .filter_map(|(at, mark)| {
            let inside = at + mark.len();
            let (place, end) = destination(source, inside)?;
            let closes = after_title(source, end)? + 1 == source.len();
            let is_target = target_at(source, &place).as_deref() == Some(link.target.as_str());
            (closes && is_target).then_some(place)
        })
        .collect();
    let place = found.into_iter().next_back()?;
    Some(Place {
        range: link.span.start + place.range.start..link.span.start + place.range.end,
        ..place
    })
}

/// Reads a destination (CommonMark 0.31, section 6.3) from `at`; returns the path within it, and
/// where the destination ends.
pub(super) fn destination(source: &str, at: usize) -> Option<(Place, usize)> {
    let start = at + (source[at..].len() - source[at..].trim_start().len());
    let rest = &source[start..];
    let (inner, notation, end) = match rest.strip_prefix('<') {
        Some(inner) => {
            let length = angle_len(inner)?;
            (
                start + 1..start + 1 + length,
                Notation::Angle,
                start + length + 2,
            )
        }
        None => {
            let length = bare_len(rest);
            (start..start + length, Notation::Bare, start + length)
        }
    };
    let whole = &source[inner.clone()];
    let path = whole.split(['#', '?']).next().unwrap_or(whole);
    let lead = path.len() - path.trim_start().len();
    let from = inner.start + lead;
    let place = Place {
        range: from..from + path.trim().len(),
        notation,
    };
    (!place.range.is_empty()).then_some((place, end))
}

/// Returns what the parser takes for the target at a place.
pub(super) fn target_at(source: &str, place: &Place) -> Option<String> {
    let written = unescaped(&source[place.range.clone()]);
    local(&written).map(|parts| parts.path)
}

fn angle_len(inner: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '>' => return Some(at),
            '<' | '\n' => return None,
            _ => {}
        }
    }
    None
}

fn bare_len(rest: &str) -> usize {
    let mut escaped = false;
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            c if c.is_ascii_whitespace() || c.is_ascii_control() => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

/// Returns where the `)` after an optional title stands.
fn after_title(source: &str, end: usize) -> Option<usize> {
    let rest = source.get(end..)?;
    let spaced = rest.trim_start();
    let at = end + rest.len() - spaced.len();
    let close = match spaced.chars().next()? {
        ')' => return Some(at),
        '"' => '"',
        '\'' => '\'',
        '(' => ')',
        _ => return None,
    };
    let mut escaped = false;
    for (offset, c) in spaced.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == close => {
                let after = at + offset + c.len_utf8();
                let rest = &source[after..];
                let spaced = rest.trim_start();
                return spaced
                    .starts_with(')')
                    .then(|| after + rest.len() - spaced.len());
            }
            _ => {}
        }
    }
    None
}

/// Takes away the backslashes that escape punctuation.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => {}
            _ => {
                plain.push(c);
                continue;
            }
        }
        plain.extend(chars.next());
    }
    plain
}
