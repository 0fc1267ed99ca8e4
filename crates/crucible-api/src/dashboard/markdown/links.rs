//! Where links lead: to notes of the vault, to the web by a few schemes, or nowhere.

use std::collections::HashMap;

use crucible_notes::{Link, LinkKind, NoteFacts};
use crucible_services::data_store::{LinkKind as StoredKind, OutgoingLink};

use super::heading_id;
use crate::percent;

/// The schemes that are followed. All others, `javascript:` and `data:` among them, are not.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// To a page of the dashboard.
    Note(String),
    /// To a file of the vault that is no note, which has no page.
    File(String),
    /// To the web.
    Web(String),
    /// To a name that nothing has.
    Missing,
    /// Nowhere: the scheme is not followed.
    Refused,
}

/// The links of one note.
pub(super) struct Links<'a> {
    /// By where they begin in the text.
    by_start: HashMap<usize, &'a Link>,
    /// The path that a target leads to, by whether it is written as Markdown.
    resolved: HashMap<(bool, &'a str), Option<&'a str>>,
}

impl<'a> Links<'a> {
    pub(super) fn new(facts: &'a NoteFacts, outgoing: &'a [OutgoingLink]) -> Self {
        let written = facts
            .links
            .iter()
            .filter(|link| link.kind != LinkKind::Property);
        Self {
            by_start: written.map(|link| (link.span.start, link)).collect(),
            resolved: outgoing
                .iter()
                .map(|link| {
                    let is_markdown =
                        matches!(link.kind, StoredKind::Markdown | StoredKind::MarkdownEmbed);
                    (
                        (is_markdown, link.target.as_str()),
                        link.resolved.as_deref(),
                    )
                })
                .collect(),
        }
    }

    /// Returns what is known of the link that begins at `start`.
    pub(super) fn at(&self, start: usize) -> Option<&'a Link> {
        self.by_start.get(&start).copied()
    }

    /// Says where the link that begins at `start` leads; `address` is what the parser read.
    pub(super) fn destination(&self, start: usize, address: &str) -> Destination {
        let Some(link) = self.at(start) else {
            return web(address);
        };
        let anchor = anchor(link);
        if link.target.is_empty() {
            return Destination::Note(anchor);
        }
        let is_markdown = matches!(link.kind, LinkKind::Markdown | LinkKind::MarkdownEmbed);
        match self.resolved.get(&(is_markdown, link.target.as_str())) {
            Some(Some(path)) if is_note(path) => Destination::Note(note_url(path) + &anchor),
            Some(Some(path)) => Destination::File((*path).to_owned()),
            _ => Destination::Missing,
        }
    }
}

/// Returns the address of a note's page.
fn note_url(path: &str) -> String {
    let mut url = String::from("/note/");
    percent::push_path(&mut url, path);
    url
}

/// The part of an address that names a heading or a block; may be empty.
fn anchor(link: &Link) -> String {
    let name = match (&link.block, link.headings.last()) {
        (Some(block), _) => format!("b-{block}"),
        (None, Some(heading)) => heading_id(heading),
        (None, None) => return String::new(),
    };
    let mut url = String::from("#");
    percent::push(&mut url, &name);
    url
}

fn web(address: &str) -> Destination {
    let follows = SCHEMES.iter().any(|scheme| {
        address
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if follows {
        Destination::Web(address.to_owned())
    } else {
        Destination::Refused
    }
}

/// Images and other files have no page.
fn is_note(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("md"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_schemes_are_followed() {
        for address in ["https://a.example/?q#x", "HTTP://a", "mailto:a@b.example"] {
            assert_eq!(web(address), Destination::Web(address.to_owned()));
        }
        for address in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,<script>1</script>",
            "vbscript:x",
            "file:///etc/passwd",
            "//evil.example/",
            "blob:x",
            "",
            "é",
        ] {
            assert_eq!(web(address), Destination::Refused, "{address:?}");
        }
    }
}
