//! What links are to be called after a file, or the note that links to it, has moved. Pure.

use crate::facts::LinkKind;
use crate::names::{base_name, fold, strip_md};

/// One link's file and the note it stands in, before and after a move.
///
/// The link is known to mean `file`; which of its readings is meant follows from how it is
/// written, and the new target is written the same way: a name stays a name, as long as no other
/// file has it; a relative path stays relative; a path from the root stays that.
#[derive(Clone, Copy, Debug)]
pub struct Relocation<'a> {
    /// The path of the note that holds the link, before.
    pub source: &'a str,
    /// The same after.
    pub new_source: &'a str,
    /// The path of the file that the link means, before.
    pub file: &'a str,
    /// The same after.
    pub new_file: &'a str,
}

impl Relocation<'_> {
    /// Returns the target that the link is to have, or `None` where it can stay as it is.
    ///
    /// `is_unique` says whether only one file of the vault, after the move, has a name: a file
    /// name without `.md`, in its [`fold`]ed form.
    #[must_use]
    pub fn target(
        &self,
        kind: LinkKind,
        written: &str,
        is_unique: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let reading = self.reading(kind, written)?;
        let has_md = strip_md(written).len() < written.len();
        let new_file = if has_md {
            self.new_file
        } else {
            strip_md(self.new_file)
        };
        let new = match reading {
            Reading::Relative => self.relative(kind, written, new_file),
            Reading::Rooted => format!("/{new_file}"),
            Reading::Path => new_file.to_owned(),
            Reading::Name => {
                let name = base_name(new_file);
                if !is_unique(&fold(strip_md(name))) {
                    new_file.to_owned()
                } else if fold(strip_md(name)) == fold(strip_md(written)) {
                    return None;
                } else {
                    name.to_owned()
                }
            }
        };
        (new != written).then_some(new)
    }

    fn relative(&self, kind: LinkKind, written: &str, new_file: &str) -> String {
        let path = relative(folder_of(self.new_source), new_file);
        let is_markdown = matches!(kind, LinkKind::Markdown | LinkKind::MarkdownEmbed);
        let has_dots = path.starts_with("../");
        if has_dots || (is_markdown && !written.starts_with("./")) {
            path
        } else {
            format!("./{path}")
        }
    }

    /// Returns how the link means the file; `None` when it does so by an alias, which moves along.
    fn reading(&self, kind: LinkKind, written: &str) -> Option<Reading> {
        let stem = fold(strip_md(self.file));
        let is = |path: &str| fold(strip_md(path)) == stem;
        if let Some(rooted) = written.strip_prefix('/') {
            return is(rooted.trim_start_matches('/')).then_some(Reading::Rooted);
        }
        let only_relative = written.split('/').any(|part| matches!(part, "." | ".."));
        let is_markdown = matches!(kind, LinkKind::Markdown | LinkKind::MarkdownEmbed);
        if (only_relative || is_markdown)
            && join(folder_of(self.source), written).is_some_and(|path| is(&path))
        {
            return Some(Reading::Relative);
        }
        if only_relative {
            return None;
        }
        let ending = fold(strip_md(written));
        let ends_so = stem == ending
            || stem
                .strip_suffix(&ending)
                .is_some_and(|before| before.ends_with('/'));
        match ends_so {
            true if written.contains('/') => Some(Reading::Path),
            true => Some(Reading::Name),
            false => None,
        }
    }
}

/// How a link means its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// A path from the note's own folder.
    Relative,
    /// A path from the root, with `/` before it.
    Rooted,
    /// A path, or the end of one.
    Path,
    /// A bare name.
    Name,
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// Goes from `folder` along `target`; `None` when that leaves the vault.
fn join(folder: &str, target: &str) -> Option<String> {
    let mut way = parts(folder);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                way.pop()?;
            }
            part => way.push(part),
        }
    }
    Some(way.join("/"))
}

/// Returns the way from `folder` to `file`.
fn relative(folder: &str, file: &str) -> String {
    let from = parts(folder);
    let to = parts(file);
    let shared = from
        .iter()
        .zip(&to[..to.len().saturating_sub(1)])
        .take_while(|(a, b)| a == b)
        .count();
    let mut way = vec![".."; from.len() - shared];
    way.extend(&to[shared..]);
    way.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use LinkKind::{Markdown, Wikilink};

    fn check(kind: LinkKind, source: &str, written: &str, to: &str, expected: Option<&str>) {
        let relocation = Relocation {
            source,
            new_source: source,
            file: "a/Old.md",
            new_file: to,
        };
        let new = relocation.target(kind, written, |name| name != "twin");
        assert_eq!(new.as_deref(), expected, "{written} in {source} to {to}");
    }

    #[test]
    fn wikilinks_keep_their_way_of_naming() {
        check(Wikilink, "s.md", "Old", "b/New.md", Some("New"));
        check(Wikilink, "s.md", "old", "b/Old.md", None);
        check(Wikilink, "s.md", "Old", "b/Twin.md", Some("b/Twin"));
        check(Wikilink, "s.md", "Old.md", "b/New.md", Some("New.md"));
        check(Wikilink, "s.md", "a/Old", "b/Old.md", Some("b/Old"));
        check(Wikilink, "s.md", "/a/Old", "b/Old.md", Some("/b/Old"));
        check(Wikilink, "a/s.md", "./Old", "b/New.md", Some("../b/New"));
        check(Wikilink, "a/s.md", "./Old", "a/New.md", Some("./New"));
        check(Wikilink, "s.md", "An alias", "b/New.md", None);
    }

    #[test]
    fn markdown_links_stay_relative() {
        check(Markdown, "s.md", "a/Old.md", "b/New.md", Some("b/New.md"));
        check(
            Markdown,
            "a/s.md",
            "Old.md",
            "b/New.md",
            Some("../b/New.md"),
        );
        check(Markdown, "a/s.md", "./Old.md", "a/New.md", Some("./New.md"));
        check(
            Markdown,
            "c/d/s.md",
            "../../a/Old.md",
            "c/New.md",
            Some("../New.md"),
        );
        check(Markdown, "c/s.md", "a/Old.md", "b/Old.md", Some("b/Old.md"));
        check(
            Markdown,
            "c/s.md",
            "/a/Old.md",
            "b/Old.md",
            Some("/b/Old.md"),
        );
    }

    #[test]
    fn links_of_the_note_that_moves_follow_it() {
        let relocation = Relocation {
            source: "a/Old.md",
            new_source: "b/c/New.md",
            file: "a/pic.png",
            new_file: "a/pic.png",
        };
        let new = relocation.target(Markdown, "pic.png", |_| true);
        assert_eq!(new.as_deref(), Some("../../a/pic.png"));
        assert_eq!(relocation.target(Wikilink, "pic.png", |_| true), None);
        let same = Relocation {
            source: "a/Old.md",
            new_source: "b/New.md",
            file: "a/Old.md",
            new_file: "b/New.md",
        };
        assert_eq!(
            same.target(Markdown, "Old.md", |_| true).as_deref(),
            Some("New.md")
        );
    }
}
