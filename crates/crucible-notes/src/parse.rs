//! From text to facts: the order of the steps.

use pulldown_cmark::Options;

use crate::body::Walk;
use crate::decode::bom_len;
use crate::facts::NoteFacts;
use crate::frontmatter::{self, Front};
use crate::mask;

/// Returns what a note says.
///
/// Never fails and never panics; time and memory grow linearly with the text. What is not
/// understood is taken as text.
pub fn parse(text: &str) -> NoteFacts {
    let mut facts = NoteFacts::default();
    let start = bom_len(text);
    let front = frontmatter::read(text, start);
    let body = front.body_start(start);
    frontmatter::take_known(&front, &mut facts);
    let masked = mask::apply(text, body);
    let mut walk = Walk::new(text, &masked, facts);
    if let Front::Faulty { span, .. } = &front {
        walk.plain(span.clone());
    }
    walk.markdown(body..text.len());
    walk.finish()
}

/// The Markdown extensions that [`parse`] reads with.
///
/// Frontmatter, tasks, callouts and comments are read by this crate itself: what the Markdown
/// parser knows of them is narrower than what notes hold.
pub fn markdown_options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_MATH
        | Options::ENABLE_WIKILINKS
}
