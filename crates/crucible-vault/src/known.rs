//! What the index was last told of each file.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crucible_services::data_store::ProblemKind;
use crucible_services::note_index::FileStamp;

/// What the index was last told of each file, in path order.
///
/// About 100 bytes and the path for each file, so that a hint costs the index no query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    files: BTreeMap<String, Entry>,
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
        let files = files
            .into_iter()
            .map(|(path, stamp)| (path, Entry { stamp, fault: None }))
            .collect();
        Self { files }
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
        self.files.insert(path, entry);
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Returns all paths, ascending.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Returns the paths below `folder`, ascending.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        // '0' is the character after '/'.
        let bounds = (
            Bound::Excluded(format!("{folder}/")),
            Bound::Excluded(format!("{folder}0")),
        );
        self.files.range(bounds).map(|(path, _)| path.as_str())
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
