//! What the index was last told of each file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crucible_services::data_store::ProblemKind;
use crucible_services::note_index::FileStamp;

/// What the index was last told of each file, in path order.
///
/// About 150 bytes and the path for each file, so that a hint costs the index no query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    files: BTreeMap<Arc<str>, Entry>,
    /// The same paths by inode, for the lookup of a file under another name.
    inodes: BTreeSet<(u64, Arc<str>)>,
}

/// What the index was last told of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The stamp handed over with it.
    pub(crate) stamp: FileStamp,
    /// Why this run skipped it; `None` for files of former runs, whose stamps say enough.
    pub(crate) fault: Option<ProblemKind>,
}

impl From<HashMap<String, FileStamp>> for Known {
    fn from(files: HashMap<String, FileStamp>) -> Self {
        let mut known = Self::default();
        for (path, stamp) in files {
            known.insert(path, Entry { stamp, fault: None });
        }
        known
    }
}

impl Known {
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.files.get(path)
    }

    pub(crate) fn insert(&mut self, path: String, entry: Entry) {
        let path: Arc<str> = path.into();
        let inode = entry.stamp.inode;
        if let Some(old) = self.files.insert(Arc::clone(&path), entry)
            && old.stamp.inode != inode
        {
            self.inodes.remove(&(old.stamp.inode, Arc::clone(&path)));
        }
        if inode != 0 {
            self.inodes.insert((inode, path));
        }
    }

    pub(crate) fn remove(&mut self, path: &str) {
        if let Some((path, entry)) = self.files.remove_entry(path) {
            self.inodes.remove(&(entry.stamp.inode, path));
        }
    }

    /// Returns the paths with this very stamp; none where the system has no inodes.
    pub(crate) fn with_stamp(&self, stamp: FileStamp) -> impl Iterator<Item = &str> {
        self.inodes
            .range((stamp.inode, Arc::from(""))..)
            .take_while(move |(inode, _)| *inode == stamp.inode)
            .map(|(_, path)| &**path)
            .filter(move |path| self.get(path).is_some_and(|entry| entry.stamp == stamp))
    }

    /// Returns all paths, ascending.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(|path| &**path)
    }

    /// Returns the paths below `folder`, ascending.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        // '0' is the character after '/'.
        let (from, to) = (format!("{folder}/"), format!("{folder}0"));
        let bounds = (Bound::Excluded(from.as_str()), Bound::Excluded(to.as_str()));
        self.files.range::<str, _>(bounds).map(|(path, _)| &**path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_folder_are_its_files_only() {
        let stamp = FileStamp {
            size: 1,
            modified_ns: 1,
            inode: 1,
        };
        let paths = ["a.md", "a/b.md", "a/c/d.md", "a0.md", "a b/x.md", "ab/x.md"];
        let known = Known::from(
            paths
                .iter()
                .map(|path| ((*path).to_owned(), stamp))
                .collect::<HashMap<_, _>>(),
        );
        assert_eq!(known.below("a").collect::<Vec<_>>(), ["a/b.md", "a/c/d.md"]);
        assert_eq!(known.below("x").count(), 0);
    }
}
