//! Says which known files are not there any more.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::folder::VaultFolder;
use crate::found::{Class, Found, is_absent};
use crate::known::Known;

/// Adds to `gone` the paths that files among `found` had before, and takes them from `found`.
///
/// The new name of a file can be looked at before anything is told of the old one. So a known
/// path with the stamp of a new file is looked at right now. Each is looked at once at most, and
/// without a new file none is.
pub(crate) fn leave_behind(
    folder: &VaultFolder,
    known: &Known,
    found: &mut Vec<Found>,
    gone: &mut Vec<String>,
) {
    if known.is_empty() {
        return;
    }
    let fresh: HashSet<_> = found
        .iter()
        .filter(|file| !matches!(file.class, Class::Fault(_)) && known.get(&file.path).is_none())
        .map(|file| file.stamp)
        .collect();
    let mut parents = RealFolders::new(folder.root());
    let left: HashSet<String> = fresh
        .iter()
        .flat_map(|stamp| known.with_stamp(*stamp))
        .filter(|path| is_left(folder.root(), path, &mut parents))
        .map(str::to_owned)
        .collect();
    if left.is_empty() {
        return;
    }
    found.retain(|file| !left.contains(&file.path));
    gone.retain(|path| !left.contains(path));
    gone.extend(left);
}

/// Says whether no file is at `path` any more.
fn is_left(root: &Path, path: &str, parents: &mut RealFolders<'_>) -> bool {
    let relative = Path::new(path);
    if !parents.contains(relative.parent().unwrap_or_else(|| Path::new(""))) {
        return true;
    }
    match std::fs::symlink_metadata(root.join(relative)) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => is_absent(&error),
    }
}

/// Returns those of `paths` that are not among `found`, which is sorted.
pub(crate) fn missing<'a>(paths: impl Iterator<Item = &'a str>, found: &[Found]) -> Vec<String> {
    let is_missing = |path: &&str| {
        found
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .is_err()
    };
    paths.filter(is_missing).map(str::to_owned).collect()
}

/// Says whether `path` is one of `unlisted` or lies below one.
pub(crate) fn is_unlisted(path: &str, unlisted: &[String]) -> bool {
    unlisted.iter().any(|folder| {
        path.strip_prefix(folder.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Remembers which folders of the vault are reached without passing a link.
pub(crate) struct RealFolders<'a> {
    root: &'a Path,
    seen: HashMap<PathBuf, bool>,
}

impl<'a> RealFolders<'a> {
    pub(crate) fn new(root: &'a Path) -> Self {
        Self {
            root,
            seen: HashMap::new(),
        }
    }

    pub(crate) fn contains(&mut self, relative: &Path) -> bool {
        let Some(parent) = relative.parent() else {
            return true; // the root
        };
        if let Some(known) = self.seen.get(relative) {
            return *known;
        }
        let real = self.contains(parent)
            && std::fs::symlink_metadata(self.root.join(relative))
                .is_ok_and(|metadata| metadata.is_dir());
        self.seen.insert(relative.to_path_buf(), real);
        real
    }
}
