//! A small index made of notes that are written down in a line.

use crucible_services::data_store::SearchRequest;
use tempfile::TempDir;

use super::super::search::Hit;
use super::super::{Mode, NoteText, Settings, TextBlock, TextIndex};

/// An index and its folder.
pub(super) struct Shelf {
    pub(super) dir: TempDir,
    pub(super) index: TextIndex,
    next: i64,
}

/// A note of a test; its text is one block per paragraph.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample<'a> {
    pub(super) path: &'a str,
    pub(super) title: &'a str,
    pub(super) aliases: &'a [&'a str],
    pub(super) tags: &'a [&'a str],
    pub(super) text: &'a str,
}

impl Shelf {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (index, cursor) =
            TextIndex::open(dir.path(), Mode::ReadWrite, Settings::default()).unwrap();
        assert_eq!(cursor, 0);
        Self {
            dir,
            index,
            next: 1,
        }
    }

    /// An index of notes `(path, text)`; the title is the file name.
    pub(super) fn with(notes: &[(&str, &str)]) -> Self {
        let mut shelf = Self::new();
        for (path, text) in notes {
            let title = path.rsplit('/').next().unwrap().trim_end_matches(".md");
            shelf.add(&Sample {
                path,
                title,
                text,
                ..Sample::default()
            });
        }
        shelf.index.commit(1).unwrap();
        shelf
    }

    pub(super) fn add(&mut self, sample: &Sample<'_>) -> i64 {
        let id = self.next;
        self.next += 1;
        self.put(id, sample);
        id
    }

    pub(super) fn put(&self, note_id: i64, sample: &Sample<'_>) {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        let blocks: Vec<_> = (0..)
            .zip(sample.text.split("\n\n").filter(|text| !text.is_empty()))
            .map(|(ordinal, text)| TextBlock {
                ordinal,
                line: ordinal * 2 + 1,
                heading_path: &[],
                text,
            })
            .collect();
        let (aliases, tags) = (owned(sample.aliases), owned(sample.tags));
        self.index
            .add_note(&NoteText {
                note_id,
                path: sample.path,
                title: sample.title,
                is_title_own: true,
                aliases: &aliases,
                tags: &tags,
                blocks: &blocks,
            })
            .unwrap();
    }

    pub(super) fn hits(&self, query: &str) -> Vec<Hit> {
        self.index.search(&SearchRequest::new(query)).unwrap()
    }

    /// The paths found, best first.
    pub(super) fn found(&self, query: &str) -> Vec<String> {
        self.found_in(&SearchRequest::new(query))
    }

    pub(super) fn found_in(&self, request: &SearchRequest) -> Vec<String> {
        self.index
            .search(request)
            .unwrap()
            .into_iter()
            .map(|hit| hit.path)
            .collect()
    }

    /// As [`Shelf::found`], in path order.
    pub(super) fn found_sorted(&self, query: &str) -> Vec<String> {
        let mut found = self.found(query);
        found.sort_unstable();
        found
    }
}
