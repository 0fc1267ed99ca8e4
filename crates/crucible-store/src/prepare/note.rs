//! A parsed note with what the store adds to it: title, tags in order, contexts of links.

use crucible_notes::{Link, LinkKind, NoteFacts, names};
use crucible_services::data_store::{Problem, ProblemKind};

use super::context::context;

/// A note's facts, ready for the tables and the text index.
#[derive(Debug)]
pub(crate) struct ParsedNote {
    /// Everything that the parser found.
    pub(crate) facts: NoteFacts,
    /// Frontmatter `title`, else the first heading of level 1, else the file name.
    pub(crate) title: String,
    /// Whether the note itself says its title, so that it is not the file's name.
    pub(crate) is_title_own: bool,
    /// Tags sorted, each once.
    pub(crate) tags: Vec<String>,
    /// The line of each link, shortened; as long as `facts.links`.
    pub(crate) contexts: Vec<String>,
    /// Faults that leave the note indexed.
    pub(crate) problems: Vec<Problem>,
}

impl ParsedNote {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut facts = crucible_notes::parse(text);
        let mut contexts = Vec::with_capacity(facts.links.len());
        for link in &mut facts.links {
            let at = match link.kind {
                LinkKind::Property => at_property(text, link),
                _ => link.span.start,
            };
            contexts.push(context(text, at));
        }
        let problems = facts
            .frontmatter_fault
            .iter()
            .map(|fault| Problem {
                path: path.to_owned(),
                kind: ProblemKind::Frontmatter,
                message: format!(
                    "the frontmatter cannot be read and counts as text: {}; correct it",
                    fault.message
                ),
                line: fault.line,
            })
            .collect();
        let own = own_title(&facts);
        Self {
            is_title_own: own.is_some(),
            title: own.unwrap_or_else(|| title_from_path(path)).to_owned(),
            tags: sorted_tags(&facts),
            contexts,
            problems,
            facts,
        }
    }
}

/// Returns the title of a note that does not name itself.
pub(crate) fn title_from_path(path: &str) -> &str {
    names::strip_md(names::base_name(path))
}

/// Finds where in the frontmatter a link is written, and corrects its line; the parser knows only
/// the frontmatter as a whole.
fn at_property(text: &str, link: &mut Link) -> usize {
    let start = link.span.start;
    let frontmatter = text.get(link.span.clone()).unwrap_or_default();
    let within = frontmatter
        .find(&format!("[[{}", link.target))
        .or_else(|| frontmatter.find(&link.target))
        .unwrap_or_default();
    link.line += frontmatter[..within].matches('\n').count() as u64;
    start + within
}

/// The title that a note gives itself.
fn own_title(facts: &NoteFacts) -> Option<&str> {
    let frontmatter = facts.title.as_deref();
    let mut level_one = facts.headings.iter().filter(|heading| heading.level == 1);
    frontmatter
        .into_iter()
        .chain(level_one.next().map(|heading| heading.text.as_str()))
        .map(str::trim)
        .find(|title| !title.is_empty())
}

fn sorted_tags(facts: &NoteFacts) -> Vec<String> {
    let mut tags: Vec<(String, &str)> = facts
        .tags
        .iter()
        .map(|tag| (names::fold(&tag.name), tag.name.as_str()))
        .collect();
    tags.sort_by(|a, b| a.0.cmp(&b.0)); // stable: the first spelling stays first
    tags.dedup_by(|later, first| later.0 == first.0);
    tags.into_iter().map(|(_, name)| name.to_owned()).collect()
}
