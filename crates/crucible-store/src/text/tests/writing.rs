//! Commits, rollbacks, replacement, and a reader beside the writer.

use super::super::{Error, Mode, Settings, TextIndex};
use super::fixture::{Sample, Shelf};
use crucible_services::data_store::SearchRequest;

fn text(text: &str) -> Sample<'_> {
    Sample {
        path: "a.md",
        title: "T",
        text,
        ..Sample::default()
    }
}

#[test]
fn nothing_is_seen_before_the_commit_and_all_after_it() {
    let mut shelf = Shelf::new();
    shelf.add(&text("word"));
    assert!(shelf.found("word").is_empty());
    shelf.index.commit(7).unwrap();
    assert_eq!(shelf.found("word"), ["a.md"]);
    assert_eq!(shelf.index.cursor(), 7);
}

#[test]
fn the_cursor_of_the_last_commit_comes_back_with_the_notes() {
    let mut shelf = Shelf::new();
    shelf.add(&text("kept"));
    shelf.index.commit(41).unwrap();
    shelf.add(&Sample {
        path: "b.md",
        ..text("lost")
    });
    let Shelf { dir, index, .. } = shelf;
    drop(index);
    let (index, cursor) =
        TextIndex::open(dir.path(), Mode::ReadWrite, Settings::default()).unwrap();
    assert_eq!(cursor, 41);
    assert_eq!(index.search(&SearchRequest::new("kept")).unwrap().len(), 1);
    assert!(
        index
            .search(&SearchRequest::new("lost"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn adding_again_replaces_within_and_across_commits() {
    let mut shelf = Shelf::new();
    let id = shelf.add(&text("first\n\nwords"));
    shelf.put(id, &text("second"));
    shelf.index.commit(1).unwrap();
    assert!(shelf.found("first").is_empty());
    assert_eq!(shelf.found("second").len(), 1);
    shelf.put(id, &text("third"));
    shelf.put(id, &text("fourth"));
    shelf.index.commit(2).unwrap();
    for (word, count) in [("second", 0), ("third", 0), ("fourth", 1)] {
        assert_eq!(shelf.found(word).len(), count, "{word}");
    }
}

#[test]
fn deletion_reaches_committed_and_fresh_notes() {
    let mut shelf = Shelf::new();
    let old = shelf.add(&text("word old"));
    shelf.index.commit(1).unwrap();
    let fresh = shelf.add(&Sample {
        path: "b.md",
        ..text("word fresh")
    });
    shelf.add(&Sample {
        path: "c.md",
        ..text("word kept")
    });
    for id in [old, fresh, 999] {
        shelf.index.delete_note(id).unwrap();
    }
    shelf.index.commit(2).unwrap();
    assert_eq!(shelf.found("word"), ["c.md"]);
    assert_eq!(shelf.found("\"word\""), ["c.md"]);
}

#[test]
fn rollback_forgets_what_was_not_committed() {
    let mut shelf = Shelf::new();
    let id = shelf.add(&text("before"));
    shelf.index.commit(1).unwrap();
    shelf.put(id, &text("after"));
    shelf.index.rollback().unwrap();
    shelf.add(&Sample {
        path: "b.md",
        ..text("next")
    });
    shelf.index.commit(2).unwrap();
    assert_eq!(shelf.found("before").len(), 1);
    assert!(shelf.found("after").is_empty());
    assert_eq!(shelf.found("next").len(), 1);
}

#[test]
fn many_small_commits_leave_few_segments_and_every_note_once() {
    let mut shelf = Shelf::new();
    for place in 0..60 {
        let path = format!("n{place:02}.md");
        shelf.add(&Sample {
            path: &path,
            title: "T",
            text: "common",
            ..Sample::default()
        });
        shelf.index.commit(place + 1).unwrap();
    }
    let mut request = SearchRequest::new("common");
    request.limit = 100;
    let expected: Vec<_> = (0..60).map(|place| format!("n{place:02}.md")).collect();
    assert_eq!(shelf.found_in(&request), expected);
}

#[test]
fn a_reader_sees_every_commit_of_the_writer_and_cannot_write() {
    let mut shelf = Shelf::new();
    let open = || TextIndex::open(shelf.dir.path(), Mode::ReadOnly, Settings::default());
    let absent = TextIndex::open(
        &shelf.dir.path().join("no"),
        Mode::ReadOnly,
        Settings::default(),
    );
    assert_eq!(absent.unwrap_err(), Error::Absent);
    let (reader, cursor) = open().unwrap();
    assert_eq!(cursor, 0);
    for round in 1..4_u64 {
        shelf.add(&Sample {
            path: &format!("{round}.md"),
            ..text("word")
        });
        shelf.index.commit(round).unwrap();
        let found = reader.search(&SearchRequest::new("word")).unwrap();
        assert_eq!((found.len() as u64, reader.cursor()), (round, round));
    }
    assert_eq!(reader.commit(9), Err(Error::Busy));
    let (_, cursor) =
        TextIndex::open(shelf.dir.path(), Mode::ReadOnly, Settings::default()).unwrap();
    assert_eq!(cursor, 3);
}

#[test]
fn an_empty_vault_has_an_index_that_opens() {
    let shelf = Shelf::with(&[]);
    assert!(shelf.found("anything").is_empty());
    let Shelf { dir, index, .. } = shelf;
    drop(index);
    let (_, cursor) = TextIndex::open(dir.path(), Mode::ReadWrite, Settings::default()).unwrap();
    assert_eq!(cursor, 1);
}

#[test]
fn a_very_long_note_and_a_very_long_word_are_taken() {
    let long = format!("{} needle {}", "x".repeat(300_000), "word ".repeat(50_000));
    let shelf = Shelf::with(&[("a.md", &long)]);
    assert_eq!(shelf.found("needle"), ["a.md"]);
    assert_eq!(shelf.found(&"x".repeat(4000)), ["a.md"]);
}
