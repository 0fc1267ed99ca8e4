//! Compares what is on disk with what the index knows. Pure.

use std::collections::HashMap;

use crucible_services::data_store::ProblemKind;
use crucible_services::note_index::FileStamp;

use crate::found::{Class, Found};
use crate::known::{Entry, Known};
use crate::names;

/// What has to be told to the index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Files with another name and the same stamp: from, to.
    pub(crate) moves: Vec<(String, String, FileStamp)>,
    /// Files that are new or have another stamp, and why this run skipped them so far.
    pub(crate) changed: Vec<(Found, Option<ProblemKind>)>,
    /// Known files that are not there (for now).
    pub(crate) gone: Vec<String>,
    /// What was looked at, for the report.
    pub(crate) seen: Seen,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Files of all sorts.
    pub(crate) files: u64,
    /// Those that are notes.
    pub(crate) notes: u64,
    /// Those that are skipped.
    pub(crate) faults: u64,
    /// Those that the index knows as they are.
    pub(crate) unchanged: u64,
}

/// Compares `found` and `gone`, the known paths that were looked for in vain.
pub(crate) fn plan(known: &Known, found: Vec<Found>, gone: Vec<String>) -> Plan {
    let mut plan = Plan::default();
    let mut fresh = Vec::new();
    for file in found {
        plan.seen.files += 1;
        match file.class {
            Class::Note => plan.seen.notes += 1,
            Class::Fault(_) => plan.seen.faults += 1,
            Class::Attachment => {}
        }
        match known.get(&file.path) {
            Some(entry) if is_unchanged(entry, &file) => plan.seen.unchanged += 1,
            Some(entry) => plan.changed.push((file, entry.fault)),
            None => fresh.push(file),
        }
    }
    match_moves(known, fresh, gone, &mut plan);
    plan
}

fn is_unchanged(entry: &Entry, file: &Found) -> bool {
    entry.stamp == file.stamp
        && match (&file.class, entry.fault) {
            (Class::Fault(problem), Some(kind)) => problem.kind == kind,
            // Skipped in a former run, or handed over when it still was a file like others.
            (Class::Fault(_), None) | (Class::Note | Class::Attachment, None) => true,
            // Skipped before and readable now, although nobody wrote to it.
            (Class::Note | Class::Attachment, Some(_)) => false,
        }
}

/// Finds the files that only changed their name: a fresh path has the whole stamp, inode and
/// nanoseconds included, of a path that is gone.
///
/// The inode alone would not do: file systems hand the number of a deleted file to the next one.
fn match_moves(known: &Known, fresh: Vec<Found>, gone: Vec<String>, plan: &mut Plan) {
    if fresh.is_empty() || gone.is_empty() {
        plan.changed
            .extend(fresh.into_iter().map(|file| (file, None)));
        plan.gone = gone;
        return;
    }
    let mut sources: HashMap<FileStamp, Vec<String>> = HashMap::new();
    for path in gone {
        match known.get(&path) {
            Some(entry) if entry.stamp.inode != 0 && entry.fault.is_none() => {
                sources.entry(entry.stamp).or_default().push(path);
            }
            _ => plan.gone.push(path),
        }
    }
    for file in fresh {
        let source = sources
            .get_mut(&file.stamp)
            .and_then(|paths| take_source(paths, &file));
        match source {
            Some(from) => plan.moves.push((from, file.path, file.stamp)),
            None => plan.changed.push((file, None)),
        }
    }
    plan.gone.extend(sources.into_values().flatten());
    plan.gone.sort_unstable();
}

/// Takes the path that `file` most likely had: of several (hard links), one of the same name.
fn take_source(paths: &mut Vec<String>, file: &Found) -> Option<String> {
    let is_note = match file.class {
        Class::Note => true,
        Class::Attachment => false,
        Class::Fault(_) => return None,
    };
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let fits = |path: &String| names::is_note(path) == is_note;
    let at = paths
        .iter()
        .position(|path| fits(path) && name(path) == name(&file.path))
        .or_else(|| paths.iter().position(fits))?;
    Some(paths.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_services::data_store::Problem;

    fn stamp(inode: u64) -> FileStamp {
        FileStamp {
            size: 1,
            modified_ns: 1,
            inode,
        }
    }

    fn note(path: &str, inode: u64) -> Found {
        Found {
            path: path.to_owned(),
            stamp: stamp(inode),
            class: Class::Note,
        }
    }

    fn known(files: &[(&str, u64)]) -> Known {
        let files: HashMap<_, _> = files
            .iter()
            .map(|(path, inode)| ((*path).to_owned(), stamp(*inode)))
            .collect();
        Known::from(files)
    }

    #[test]
    fn equal_stamps_mean_nothing_to_do() {
        let plan = plan(&known(&[("a.md", 1)]), vec![note("a.md", 1)], Vec::new());
        assert_eq!(plan.seen.unchanged, 1);
        assert!(plan.changed.is_empty() && plan.moves.is_empty() && plan.gone.is_empty());
    }

    #[test]
    fn renamed_folder_is_a_move_of_each_file() {
        let plan = plan(
            &known(&[("a/x.md", 1), ("a/y.md", 2)]),
            vec![note("b/x.md", 1), note("b/y.md", 2)],
            vec!["a/x.md".to_owned(), "a/y.md".to_owned()],
        );
        assert_eq!(plan.moves.len(), 2);
        assert!(plan.changed.is_empty() && plan.gone.is_empty());
    }

    #[test]
    fn reused_inode_is_not_a_move() {
        let mut new = note("b.md", 1);
        new.stamp.modified_ns = 2;
        let plan = plan(&known(&[("a.md", 1)]), vec![new], vec!["a.md".to_owned()]);
        assert!(plan.moves.is_empty());
        assert_eq!(plan.gone, ["a.md"]);
    }

    #[test]
    fn note_that_becomes_an_attachment_is_not_a_move() {
        let mut file = note("a.txt", 1);
        file.class = Class::Attachment;
        let plan = plan(&known(&[("a.md", 1)]), vec![file], vec!["a.md".to_owned()]);
        assert!(plan.moves.is_empty());
        assert_eq!(plan.changed.len(), 1);
        assert_eq!(plan.gone, ["a.md"]);
    }

    #[test]
    fn hard_links_move_to_the_same_name_first() {
        let plan = plan(
            &known(&[("a/x.md", 1), ("a/y.md", 1)]),
            vec![note("b/y.md", 1), note("b/x.md", 1)],
            vec!["a/x.md".to_owned(), "a/y.md".to_owned()],
        );
        assert!(
            plan.moves.iter().all(|(from, to, _)| from[1..] == to[1..]),
            "{plan:?}"
        );
    }

    #[test]
    fn file_that_became_readable_is_read_although_its_stamp_is_the_same() {
        let mut known = known(&[]);
        let fault = Some(ProblemKind::Unreadable);
        known.insert(
            "a.md".to_owned(),
            Entry {
                stamp: stamp(1),
                fault,
            },
        );
        let readable = plan(&known, vec![note("a.md", 1)], Vec::new());
        assert_eq!(readable.changed.len(), 1);
        let problem = Problem {
            path: "a.md".to_owned(),
            kind: ProblemKind::Unreadable,
            message: String::new(),
            line: None,
        };
        let still = Found {
            class: Class::Fault(problem),
            ..note("a.md", 1)
        };
        assert_eq!(plan(&known, vec![still], Vec::new()).seen.unchanged, 1);
    }
}
