//! Which of several files a link means. Pure.
//!
//! The tiers, best first: the path from the note's own folder (relative and Markdown links), the
//! path from the root, the end of a path (of which the bare name is the shortest), an alias. Case
//! and Unicode form do not count, nor does `.md`. Within a tier the nearest folder wins, then the
//! shortest path.

use std::cmp::Reverse;

use crucible_notes::names;
use crucible_services::data_store::LinkKind;

use super::Resolved;

/// A file that may be meant.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    file: i64,
    path: String,
    /// The folded path without `.md`.
    stem: String,
    is_note: bool,
}

impl Named {
    pub(crate) fn new(file: i64, path: String) -> Self {
        let stem = names::strip_md(&path);
        Self {
            file,
            stem: names::fold(stem),
            is_note: stem.len() < path.len(),
            path,
        }
    }
}

/// The target of a link, taken apart.
#[derive(Debug)]
pub(crate) struct Target<'t> {
    source: &'t str,
    written: &'t str,
    /// The folded target without `.md` and leading `/`.
    stem: String,
    has_md: bool,
    /// Where the target is when it is read from the note's folder; with its folded stem.
    from_folder: Option<(String, String)>,
    /// Only that reading counts.
    only_from_folder: bool,
    /// The target begins with `/`: it is a path from the root.
    is_rooted: bool,
}

impl<'t> Target<'t> {
    /// Reads a target; `None` when it names nothing.
    pub(crate) fn read(source: &'t str, target: &'t str, kind: LinkKind) -> Option<Self> {
        let target = target.trim();
        let is_rooted = target.starts_with('/');
        let written = target.trim_start_matches('/');
        if written.is_empty() || written.ends_with('/') {
            return None;
        }
        let only_from_folder = !is_rooted && has_dots(written);
        let is_markdown = matches!(kind, LinkKind::Markdown | LinkKind::MarkdownEmbed);
        let from_folder = if only_from_folder || (is_markdown && !is_rooted) {
            let path = join(folder_of(source), written);
            path.map(|path| {
                let stem = names::fold(names::strip_md(&path));
                (path, stem)
            })
        } else {
            None
        };
        if only_from_folder && from_folder.is_none() {
            return None; // it leaves the vault
        }
        let without_md = names::strip_md(written);
        Some(Self {
            source,
            written,
            stem: names::fold(without_md),
            has_md: without_md.len() < written.len(),
            from_folder,
            only_from_folder,
            is_rooted,
        })
    }

    /// Returns the target without leading `/`.
    pub(crate) fn written(&self) -> &'t str {
        self.written
    }

    /// Says whether the target can be an alias.
    pub(crate) fn may_be_alias(&self) -> bool {
        !self.only_from_folder && !self.is_rooted
    }

    /// Returns in which tier `named` is meant, and whether it is spelled as written.
    fn tier(&self, named: &Named) -> Option<(u8, bool)> {
        if self.has_md && !named.is_note {
            return None;
        }
        if let Some((path, stem)) = &self.from_folder
            && named.stem == *stem
        {
            return Some((0, is_spelled(&named.path, path)));
        }
        if self.only_from_folder {
            return None;
        }
        if named.stem == self.stem {
            return Some((1, is_spelled(&named.path, self.written)));
        }
        let ends_so = named
            .stem
            .strip_suffix(&self.stem)
            .is_some_and(|before| before.ends_with('/'));
        (ends_so && !self.is_rooted).then(|| (2, is_spelled_at_end(&named.path, self.written)))
    }
}

/// Returns the file that is meant by its path or name.
pub(crate) fn choose(target: &Target<'_>, files: &[Named]) -> Option<Resolved> {
    let tiers = files.iter().filter_map(|named| {
        target
            .tier(named)
            .map(|(tier, spelled)| (tier, spelled, named))
    });
    best(target, &tiers.collect::<Vec<_>>())
}

/// Returns the note that is meant by an alias; all of `aliases` have the target as an alias.
pub(crate) fn choose_alias(target: &Target<'_>, aliases: &[Named]) -> Option<Resolved> {
    let meant: Vec<_> = aliases.iter().map(|named| (3, false, named)).collect();
    best(target, &meant)
}

fn best(target: &Target<'_>, meant: &[(u8, bool, &Named)]) -> Option<Resolved> {
    let tier = meant.iter().map(|(tier, _, _)| *tier).min()?;
    let in_tier = || meant.iter().filter(|(other, _, _)| *other == tier);
    // "image.png" is a file before it is the note "image.png.md"; "Note" is a note before it is a
    // file without extension.
    let has_extension = names::base_name(target.written).contains('.');
    let folder = folder_of(target.source);
    let (_, spelled, named) = in_tier().min_by_key(|(_, spelled, named)| {
        (
            named.is_note == has_extension && !target.has_md,
            Reverse(shared_folders(folder, folder_of(&named.path))),
            named.path.chars().count(),
            !spelled,
            &named.path,
        )
    })?;
    let others = in_tier().count() - 1;
    let others_spelled = in_tier().filter(|(_, spelled, _)| *spelled).count() > 1;
    // A path that is written to the letter means that file, whatever its twins are called.
    let is_certain = tier <= 1 && *spelled && !others_spelled;
    Some(Resolved {
        file: named.file,
        path: named.path.clone(),
        is_ambiguous: others > 0 && !is_certain,
    })
}

fn is_spelled(path: &str, written: &str) -> bool {
    path == written || names::strip_md(path) == written
}

fn is_spelled_at_end(path: &str, written: &str) -> bool {
    path.ends_with(written) || names::strip_md(path).ends_with(written)
}

fn has_dots(target: &str) -> bool {
    target.split('/').any(|part| matches!(part, "." | ".."))
}

/// Returns the folder that `path` is in, without `/` at its end; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Goes from `folder` along `target`; `None` when that leaves the vault or names a folder.
fn join(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let ends_in_folder = target.ends_with("..") || target.ends_with("/.") || target == ".";
    (!parts.is_empty() && !ends_in_folder).then(|| parts.join("/"))
}

fn shared_folders(a: &str, b: &str) -> usize {
    let parts = |folder| str::split(folder, '/').filter(|part| !part.is_empty());
    parts(a)
        .zip(parts(b))
        .take_while(|(left, right)| left == right)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        files: &[&str],
        source: &str,
        target: &str,
        kind: LinkKind,
        expected: Option<(&str, bool)>,
    ) {
        let named: Vec<Named> = files
            .iter()
            .enumerate()
            .map(|(id, path)| Named::new(i64::try_from(id).unwrap(), (*path).to_owned()))
            .collect();
        let found = Target::read(source, target, kind).and_then(|target| choose(&target, &named));
        let found = found
            .as_ref()
            .map(|found| (found.path.as_str(), found.is_ambiguous));
        assert_eq!(found, expected, "{target} in {source} among {files:?}");
    }

    fn wiki(files: &[&str], source: &str, target: &str, expected: Option<(&str, bool)>) {
        check(files, source, target, LinkKind::Wikilink, expected);
    }

    fn markdown(files: &[&str], source: &str, target: &str, expected: Option<(&str, bool)>) {
        check(files, source, target, LinkKind::Markdown, expected);
    }

    #[test]
    fn tiers_come_in_order() {
        let files = ["b/x.md", "a/b/x.md", "x.md"];
        wiki(&files, "s.md", "b/x", Some(("b/x.md", false)));
        wiki(&files, "s.md", "a/b/x.md", Some(("a/b/x.md", false)));
        wiki(&files, "a/b/s.md", "x", Some(("x.md", false)));
        wiki(&["q/b/x.md"], "s.md", "b/X", Some(("q/b/x.md", false)));
        wiki(&files, "s.md", "c/x", None);
        wiki(&files, "s.md", "/b/x", Some(("b/x.md", false)));
        wiki(&["a/b/x.md"], "s.md", "/b/x", None);
    }

    #[test]
    fn nearest_folder_wins_then_the_shortest_path() {
        let files = ["one/x.md", "two/deep/x.md", "two/x.md"];
        wiki(&files, "two/deep/s.md", "x", Some(("two/deep/x.md", true)));
        wiki(&files, "two/s.md", "x", Some(("two/x.md", true)));
        wiki(&files, "s.md", "x", Some(("one/x.md", true)));
    }

    #[test]
    fn markdown_links_are_read_from_the_folder_first() {
        let files = ["x.md", "a/x.md", "a/b/x.md"];
        markdown(&files, "a/s.md", "x.md", Some(("a/x.md", false)));
        markdown(&files, "a/s.md", "b/x.md", Some(("a/b/x.md", false)));
        markdown(&files, "a/b/s.md", "../x.md", Some(("a/x.md", false)));
        markdown(&files, "a/b/s.md", "./../../x.md", Some(("x.md", false)));
        markdown(&files, "a/b/s.md", "../../../x.md", None);
        markdown(&files, "a/b/s.md", "..", None);
        markdown(&files, "c/s.md", "a/b/x.md", Some(("a/b/x.md", false)));
    }

    #[test]
    fn extensions_tell_attachments_from_notes() {
        let files = ["img.png", "img.png.md", "plain", "plain.md"];
        wiki(&files, "s.md", "img.png", Some(("img.png", true)));
        wiki(&files, "s.md", "img.png.md", Some(("img.png.md", false)));
        wiki(&files, "s.md", "plain", Some(("plain.md", true)));
        wiki(&["plain"], "s.md", "plain.md", None);
        wiki(
            &["a/pic.PNG"],
            "s.md",
            "PIC.png",
            Some(("a/pic.PNG", false)),
        );
    }

    #[test]
    fn twins_are_told_apart_by_spelling() {
        let files = ["Note.md", "note.md"];
        wiki(&files, "s.md", "note", Some(("note.md", false)));
        wiki(&files, "s.md", "NOTE", Some(("Note.md", true)));
    }
}
