//! Writes other targets into the links of a text, and changes nothing else.
//!
//! [`rewrite_links`] finds where each link's target stands in the source (`place`) and puts a new
//! one there in the link's own notation (`write`); headings, blocks, aliases and titles stay byte
//! for byte. What the parser does not take for a link (code, comments, HTML) is not touched.
//! Which target a link is to have is the caller's business; [`Relocation`] holds the rules for a
//! file that moves.

mod definition;
mod place;
mod relocation;
mod write;

use std::ops::Range;

use crate::facts::LinkKind;
use crate::mask;
use crate::parse;

pub use relocation::Relocation;

/// A text whose links were rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relinked {
    /// The text.
    pub text: String,
    /// How many targets were replaced.
    pub rewritten: usize,
    /// How many were to be replaced and could not: the new target has characters that the
    /// notation cannot hold, or the old one is written in a way that was not understood.
    pub left: usize,
}

/// Replaces the targets of links.
///
/// `decide` is given each link's kind and target (as [`Link::target`](crate::Link)), and returns
/// the new target, or `None` where the link is to stay. Links within the same note have no target
/// and are not asked about.
pub fn rewrite_links(
    text: &str,
    mut decide: impl FnMut(LinkKind, &str) -> Option<String>,
) -> Relinked {
    let facts = parse(text);
    let body = facts.frontmatter.as_ref().map_or(0, |front| front.end);
    let masked = mask::apply(text, body);
    let mut changes = Changes::default();
    for link in &facts.links {
        if link.target.is_empty() || link.kind == LinkKind::Property {
            continue;
        }
        let Some(new) = decide(link.kind, &link.target) else {
            continue;
        };
        let is_plain = text[link.span.clone()] == masked[link.span.clone()];
        let place = is_plain.then(|| place::of_link(text, link)).flatten();
        match place {
            Some(place) => changes.add(text, &place, &new),
            // Its target stands in a definition, which is read below.
            None if is_plain && definition::is_used_by(text, link) => {}
            None => changes.left += 1,
        }
    }
    if let Some(front) = &facts.frontmatter {
        for (place, target) in place::in_properties(text, front) {
            if let Some(new) = decide(LinkKind::Property, &target) {
                changes.add(text, &place, &new);
            }
        }
    }
    for (place, target) in definition::places(text, &masked, body) {
        if let Some(new) = decide(LinkKind::Markdown, &target) {
            changes.add(text, &place, &new);
        }
    }
    changes.apply(text)
}

/// Where a target stands and how it is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    range: Range<usize>,
    notation: Notation,
}

/// How a target is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    /// Between `[[` and `#`, `|` or `]]`.
    Wiki,
    /// The same within YAML, TOML or JSON, where quotes and backslashes have a meaning.
    Property,
    /// `](target)`
    Bare,
    /// `](<target>)`
    Angle,
}

#[derive(Debug, Default)]
struct Changes {
    pieces: Vec<(Range<usize>, String)>,
    left: usize,
}

impl Changes {
    fn add(&mut self, text: &str, place: &Place, new: &str) {
        let old = &text[place.range.clone()];
        match write::target(place.notation, old, new) {
            Some(written) => self.pieces.push((place.range.clone(), written)),
            None => self.left += 1,
        }
    }

    fn apply(mut self, text: &str) -> Relinked {
        self.pieces.sort_by_key(|(range, _)| range.start);
        self.pieces.dedup_by(|next, kept| next.0.start < kept.0.end);
        let mut new = String::with_capacity(text.len());
        let mut done = 0;
        for (range, written) in &self.pieces {
            new.push_str(&text[done..range.start]);
            new.push_str(written);
            done = range.end;
        }
        new.push_str(&text[done..]);
        Relinked {
            text: new,
            rewritten: self.pieces.len(),
            left: self.left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let relinked = rewrite_links(text, |_, target| {
            matches!(target, "Old" | "a/Old.md" | "old note.md")
                .then(|| "dir/New (1).md".to_owned())
        });
        assert_eq!(relinked.text, expected, "{text}");
        assert_eq!(relinked.left, 0, "{text}");
    }

    #[test]
    fn targets_are_replaced_and_all_else_is_kept() {
        check("[[Old]]", "[[dir/New (1).md]]");
        check("![[ Old #H#^b| x ]]", "![[ dir/New (1).md #H#^b| x ]]");
        check(
            "| [[Old\\|x]] |\n|-|\n",
            "| [[dir/New (1).md\\|x]] |\n|-|\n",
        );
        check("[t](a/Old.md#h \"T\")", "[t](dir/New%20%281%29.md#h \"T\")");
        check("![t](<old note.md>)", "![t](<dir/New (1).md>)");
        check("[t](old%20note.md)", "[t](dir/New%20%281%29.md)");
        check(
            "[![i](a/Old.md)](a/Old.md) [`](`](a/Old.md)",
            "[![i](dir/New%20%281%29.md)](dir/New%20%281%29.md) [`](`](dir/New%20%281%29.md)",
        );
        check(
            "[t][r] [r]\n\n[r]: a/Old.md 'T'\n",
            "[t][r] [r]\n\n[r]: dir/New%20%281%29.md 'T'\n",
        );
    }

    #[test]
    fn code_comments_and_other_links_are_not_touched() {
        for text in [
            "`[[Old]]`",
            "```\n[[Old]]\n```\n",
            "%%[[Old]]%%",
            "<!-- [[Old]] -->\n",
            "\\[[Old]\\]",
            "[[Older]] [[Old/x]] [x](https://a.example/a/Old.md)",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn properties_are_rewritten_where_the_result_is_sound() {
        let text = "---\nup: \"[[Old|x]]\"\nlist:\n  - '[[Old]]'\n---\n[[Old]]";
        check(text, &text.replace("Old", "dir/New (1).md"));
        let relinked = rewrite_links("---\nup: \"[[Old]]\"\n---\n", |_, _| {
            Some("a\"b".to_owned())
        });
        assert_eq!((relinked.rewritten, relinked.left), (0, 1));
    }

    #[test]
    fn a_target_that_a_wikilink_cannot_hold_is_left() {
        let relinked = rewrite_links("[[Old]]", |_, _| Some("a#b".to_owned()));
        assert_eq!((relinked.text.as_str(), relinked.left), ("[[Old]]", 1));
    }
}
