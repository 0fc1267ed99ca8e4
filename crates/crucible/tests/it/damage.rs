//! An index that was damaged on the disk: noticed, moved aside, rebuilt, and said.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Place;

/// All regular files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Indexes a vault, lets `spoil` damage the index's files, and checks that the next start says so
/// and has everything again.
#[track_caller]
fn check(spoil: impl Fn(&Path)) {
    let place = Place::example();
    let mut first = place.serve();
    let notes = first.get("/api/v1/notes?limit=1000");
    let found = first.search("starter");
    first.stop();

    spoil(&place.index_dir());
    let mut again = place.serve();
    let said = again.shown.join("\n");
    assert!(
        said.contains("rebuilt"),
        "nothing was said:\n{said}\n{}",
        again.log()
    );
    assert_eq!(again.get("/api/v1/notes?limit=1000"), notes);
    assert_eq!(again.search("starter"), found);
    place.write("later.md", "laterword");
    again.wait_found("laterword", &["later.md"]);
    again.stop();

    let mut third = place.serve();
    let said = third.shown.join("\n");
    assert!(!said.contains("rebuilt"), "still damaged:\n{said}");
    assert_eq!(third.search("laterword"), ["later.md"]);
    third.stop();
}

/// The facts and what belongs to them, such as the log of changes beside them.
fn facts(index: &Path) -> Vec<PathBuf> {
    let mut found = files(index);
    found.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("facts.db")
    });
    assert!(!found.is_empty(), "no facts in {index:?}");
    found
}

#[test]
fn overwritten_facts_are_rebuilt() {
    check(|index| {
        for file in facts(index) {
            let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
            fs::write(file, vec![0x5a; length]).unwrap();
        }
    });
}

#[test]
fn facts_that_are_no_database_at_all_are_rebuilt() {
    check(|index| {
        for file in facts(index) {
            fs::write(file, "not a database").unwrap();
        }
    });
}

#[test]
fn every_other_page_of_the_facts_overwritten_is_noticed() {
    check(|index| {
        for file in facts(index) {
            let mut bytes = fs::read(&file).unwrap();
            for page in bytes.chunks_mut(4096).skip(1).step_by(2) {
                page.fill(0xa5);
            }
            fs::write(file, bytes).unwrap();
        }
    });
}

#[test]
fn facts_that_lost_their_latest_changes_catch_up() {
    let place = Place::example();
    let mut first = place.serve();
    let notes = first.get("/api/v1/notes?limit=1000");
    // A crash, so that the log of changes is still there; and a disk that lost half of it.
    first.kill();
    for file in facts(&place.index_dir()) {
        if file.extension().is_some_and(|end| end == "db-wal") {
            let length = fs::metadata(&file).unwrap().len();
            let log = fs::File::options().write(true).open(file).unwrap();
            log.set_len(length / 2).unwrap();
        }
    }
    let mut again = place.serve();
    assert_eq!(again.get("/api/v1/notes?limit=1000"), notes);
    let found = again.search("starter");
    assert!(!found.is_empty());
    let unique: std::collections::BTreeSet<_> = found.iter().collect();
    assert_eq!(
        unique.len(),
        found.len(),
        "a note is found twice: {found:?}"
    );
    again.stop();
}

#[test]
fn truncated_text_index_is_rebuilt() {
    check(|index| {
        for file in files(&text_dir(index)) {
            let length = fs::metadata(&file).unwrap().len();
            fs::File::options()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(length / 2)
                .unwrap();
        }
    });
}

#[test]
fn overwritten_text_index_is_rebuilt() {
    check(|index| {
        for file in files(&text_dir(index)) {
            fs::write(file, "nonsense").unwrap();
        }
    });
}

#[test]
fn missing_part_of_the_text_index_is_rebuilt() {
    check(|index| {
        let text = files(&text_dir(index));
        let is_segment =
            |file: &&PathBuf| file.extension().is_some_and(|e| e == "term" || e == "idx");
        let segments: Vec<_> = text.iter().filter(is_segment).collect();
        assert!(!segments.is_empty(), "{text:?}");
        for segment in segments {
            fs::remove_file(segment).unwrap();
        }
    });
}

#[test]
fn index_that_became_a_file_is_told_with_a_cure() {
    let place = Place::with(&[("a.md", "needle")]);
    place.serve().stop();
    fs::remove_dir_all(place.index_dir()).unwrap();
    fs::write(place.index_dir(), "in the way").unwrap();
    let output = place.about(&["search", "needle"]).fails_with(1);
    let index = place.index_dir();
    assert!(
        output.stderr.contains(index.to_str().unwrap()),
        "{}",
        output.stderr
    );
}

/// The folder of the text index: the one inside the index's folder.
fn text_dir(index: &Path) -> PathBuf {
    let entries = fs::read_dir(index)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_dir())
        .max()
        .expect("the text index has a folder")
}
