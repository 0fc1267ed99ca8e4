//! A damaged index says so, at open or with the first search, and never panics.

use std::fs;
use std::path::{Path, PathBuf};

use crucible_services::data_store::SearchRequest;

use super::super::{Error, Mode, Settings, TextIndex};
use super::fixture::Shelf;

/// A closed index with deletions, and its files.
fn closed() -> (tempfile::TempDir, Vec<PathBuf>) {
    let texts: Vec<_> = (0..40)
        .map(|n| (format!("n{n}.md"), format!("common word{n}")))
        .collect();
    let notes: Vec<_> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let Shelf { dir, index, .. } = Shelf::with(&notes);
    index.delete_note(3).unwrap();
    index.commit(2).unwrap();
    drop(index);
    let files = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| !name(path).starts_with('.')).collect();
    files.sort_unstable();
    assert!(files.len() > 5, "{files:?}");
    (dir, files)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Opens and searches; what comes of it.
fn outcome(dir: &Path, mode: Mode) -> Result<usize, Error> {
    let (index, _) = TextIndex::open(dir, mode, Settings::default())?;
    index
        .search(&SearchRequest {
            limit: 100,
            ..SearchRequest::new("common")
        })
        .map(|hits| hits.len())
}

/// Hurts every file in turn.
fn every_file(what: &str, hurt: impl Fn(&Path, &[u8])) {
    for place in 0.. {
        // How many segments there are is up to the threads that write them.
        let (dir, files) = closed();
        let Some(path) = files.get(place) else {
            return;
        };
        let bytes = fs::read(path).unwrap();
        hurt(path, &bytes);
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let outcome = outcome(dir.path(), mode);
            let absent = mode == Mode::ReadOnly && outcome == Err(Error::Absent);
            let damaged = matches!(outcome, Err(Error::Damaged { .. }));
            assert!(damaged || absent, "{what} {}: {outcome:?}", name(path));
        }
    }
}

#[test]
fn a_sound_index_answers() {
    let (dir, _) = closed();
    assert_eq!(outcome(dir.path(), Mode::ReadWrite), Ok(39));
}

#[test]
fn truncated_files_are_damage() {
    every_file("half of", |path, bytes| {
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap()
    });
    every_file("nothing of", |path, _| fs::write(path, []).unwrap());
}

#[test]
fn zeroed_files_are_damage() {
    every_file("zeros for", |path, bytes| {
        fs::write(path, vec![0; bytes.len()]).unwrap()
    });
    every_file("a zeroed start of", |path, bytes| {
        let mut bytes = bytes.to_vec();
        // A small file may begin with zeros: at least one byte must become another.
        let written = bytes.iter().position(|&byte| byte != 0).unwrap_or(0);
        let end = (bytes.len() / 3).max(written + 1);
        bytes[..end].fill(0);
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn deleted_files_are_damage() {
    every_file("no", |path, _| fs::remove_file(path).unwrap());
}

#[test]
fn garbage_is_damage() {
    every_file("garbage for", |path, bytes| {
        let garbage: Vec<u8> = (0..bytes.len()).map(|at| (at * 131 % 251) as u8).collect();
        fs::write(path, garbage).unwrap();
    });
    every_file("one flipped bit in", |path, bytes| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= 4;
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn an_index_of_another_version_is_rebuilt() {
    let (dir, _) = closed();
    let meta = dir.path().join("meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    let other = text.replace("\\\"format\\\":3", "\\\"format\\\":0");
    assert_ne!(text, other);
    fs::write(&meta, other).unwrap();
    let error = outcome(dir.path(), Mode::ReadWrite).unwrap_err();
    assert!(error.to_string().contains("another version"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_not_damaged() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "x").unwrap();
    let error = outcome(&place.path().join("file/text"), Mode::ReadWrite).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}
