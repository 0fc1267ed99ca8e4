//! What was applied is there after a restart, and nothing is done twice.

use std::time::Duration;

use crucible_services::data_store::DataStore as _;
use crucible_services::note_index::NoteIndex as _;
use crucible_store::{OpenError, Store, StoreConfig};

use crate::bench::Bench;

const FILES: &[(&str, &str)] = &[
    ("a.md", "apples [[b]] #fruit"),
    ("b.md", "bananas [[a]] [[missing]]"),
    ("sub/c.md", "---\nbroken: [\n---\ncherries"),
    ("pic.png", ""),
];
const WORDS: &[&str] = &["apples", "bananas", "cherries"];

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_vault_is_not_parsed_again() {
    let mut bench = Bench::with(FILES).await;
    let before = bench.content(WORDS).await;
    assert_eq!(bench.store.stats().await.unwrap().parsed_since_open, 3);
    bench.restart().await;
    assert_eq!(bench.store.recovered(), Vec::<String>::new());
    let known = bench.store.known_files().await.unwrap();
    assert!(bench.vault.differences(&known).is_empty());
    assert_eq!(bench.content(WORDS).await, before);
    assert_eq!(bench.store.stats().await.unwrap().parsed_since_open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_dropped_without_closing_loses_nothing() {
    let mut bench = Bench::with(FILES).await;
    bench.close().await;
    // The text index is not committed before the files are copied: then the copy is what a crash
    // leaves, and no file goes while the folder is read.
    let mut config = StoreConfig::new(bench.index_dir());
    config.text_commit_delay = Duration::from_secs(3600);
    config.text_commit_delay_max = config.text_commit_delay;
    bench.store = Store::open(config, bench.vault.clone() as _).await.unwrap();
    let change = bench.vault.write("d.md", "dates");
    let origin = crucible_services::note_index::ChangeOrigin::Change;
    let batch = crucible_services::note_index::ChangeBatch {
        cause: None,
        changes: vec![change],
        origin,
    };
    bench.store.apply(batch).await.unwrap();
    let index_dir = bench.index_dir();
    let moved = index_dir.with_file_name("copy");
    // The files as a crash at this moment would leave them.
    copy_folder(&index_dir, &moved);
    bench.close().await;
    std::fs::remove_dir_all(&index_dir).unwrap();
    std::fs::rename(&moved, &index_dir).unwrap();
    bench.open_again().await;
    bench.store.settle().await.unwrap();
    assert_eq!(bench.found("dates").await, ["d.md"]);
    assert_eq!(bench.content(WORDS).await, bench.fresh_content(WORDS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_writer_is_refused_until_the_first_has_closed() {
    let bench = Bench::with(FILES).await;
    let config = StoreConfig::new(bench.index_dir());
    let open = || Store::open(config.clone(), bench.vault.clone() as _);
    let refused = open().await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    bench.close().await;
    open().await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_index_is_built_anew() {
    let mut bench = Bench::with(FILES).await;
    let before = bench.content(WORDS).await;
    bench.close().await;
    std::fs::remove_dir_all(bench.index_dir()).unwrap();
    bench.open_again().await;
    assert!(bench.store.known_files().await.unwrap().is_empty());
    bench.reconcile().await;
    assert_eq!(bench.content(WORDS).await, before);
}

pub(crate) fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
            continue;
        }
        // The text index removes files that it no longer needs whenever it likes; one that is gone
        // by now is gone after a crash as well.
        match std::fs::copy(entry.path(), target) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            copied => assert!(copied.is_ok(), "{copied:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_still_answers_and_is_in_nobodys_way() {
    let mut bench = Bench::with(FILES).await;
    let closed = bench.store.clone();
    bench.restart().await;
    bench.put("a.md", "apricots").await;
    assert_eq!(bench.found("apricots").await, ["a.md"]);
    assert_eq!(crate::bench::found(&closed, "bananas").await, ["b.md"]);
}
