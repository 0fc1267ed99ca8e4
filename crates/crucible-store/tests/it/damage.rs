//! Damaged or missing parts are noticed, moved aside and built anew.

use std::path::{Path, PathBuf};

use crucible_services::note_index::NoteIndex as _;
use crucible_services::service_traits::ServiceLifecycle as _;
use crucible_store::{OpenError, Store, StoreConfig};

use crate::bench::{Bench, until};
use crate::serving::serve;

const WORDS: &[&str] = &["apples", "bananas", "sausages"];

async fn vault() -> Bench {
    let bench = Bench::with(&[("a.md", "apples [[b]]"), ("b.md", "bananas [[a]]")]).await;
    bench.put("c.md", &"many sausages\n\n".repeat(2000)).await;
    bench
}

/// Damages an index while it is closed, and expects that it is whole again afterwards.
async fn check(damage: impl FnOnce(&Path), is_told: bool) -> Bench {
    let mut bench = vault().await;
    let expected = bench.content(WORDS).await;
    bench.close().await;
    damage(&bench.index_dir());
    bench.open_again().await;
    let told = bench.store.recovered();
    assert_eq!(!told.is_empty(), is_told, "{told:?}");
    bench.reconcile().await;
    assert_eq!(bench.content(WORDS).await, expected);
    // It stays whole.
    bench.restart().await;
    assert_eq!(bench.store.recovered(), Vec::<String>::new());
    assert_eq!(bench.reconcile().await.parsed, 0);
    assert_eq!(bench.content(WORDS).await, expected);
    bench
}

fn facts(index: &Path) -> PathBuf {
    index.join("facts.db")
}

fn overwrite(path: &Path, from: u64, bytes: &[u8]) {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(bytes).unwrap();
}

/// The largest file of the text index, which is one that holds words or documents.
fn largest_text_file(index: &Path) -> PathBuf {
    let files = std::fs::read_dir(index.join("text")).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_are_no_database_are_replaced() {
    let bench = check(
        |index| std::fs::write(facts(index), "no database").unwrap(),
        true,
    )
    .await;
    let aside = bench.index_dir().join("facts.db.damaged-1");
    assert_eq!(std::fs::read(aside).unwrap(), b"no database");
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_with_a_bad_header_are_replaced() {
    check(|index| overwrite(&facts(index), 0, &[0xff; 100]), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_with_bad_pages_are_replaced() {
    let damage = |index: &Path| {
        let pages = std::fs::metadata(facts(index)).unwrap().len() / 8192;
        for page in 2..pages {
            overwrite(&facts(index), page * 8192, &[0xa5; 512]);
        }
    };
    check(damage, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_were_cut_short_are_replaced() {
    let damage = |index: &Path| {
        let file = std::fs::File::options()
            .write(true)
            .open(facts(index))
            .unwrap();
        file.set_len(8192 + 100).unwrap();
    };
    check(damage, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_facts_are_replaced() {
    check(|index| std::fs::write(facts(index), "").unwrap(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_whose_creation_was_cut_off_are_created_without_ado() {
    let damage = |index: &Path| {
        std::fs::remove_dir_all(index).unwrap();
        std::fs::create_dir(index).unwrap();
        let connection = rusqlite::Connection::open(facts(index)).unwrap();
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .unwrap();
        drop(connection);
    };
    check(damage, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_another_version_are_replaced() {
    let damage = |index: &Path| {
        let connection = rusqlite::Connection::open(facts(index)).unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
    };
    check(damage, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_facts_take_the_text_index_with_them() {
    check(|index| std::fs::remove_file(facts(index)).unwrap(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_text_index_is_fed_from_the_notes() {
    check(
        |index| std::fs::remove_dir_all(index.join("text")).unwrap(),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_index_with_a_bad_list_of_segments_is_replaced() {
    check(
        |index| std::fs::write(index.join("text/meta.json"), "{ nonsense").unwrap(),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_index_with_a_bad_segment_is_replaced() {
    let bench = check(
        |index| overwrite(&largest_text_file(index), 10, &[0xa5; 64]),
        true,
    )
    .await;
    assert!(bench.index_dir().join("text.damaged-1").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_index_ahead_of_the_facts_is_replaced() {
    let mut bench = vault().await;
    bench.close().await;
    let old = bench.place.path().join("facts.old");
    std::fs::copy(facts(&bench.index_dir()), &old).unwrap();
    bench.open_again().await;
    bench.put("d.md", "durians").await;
    bench.close().await;
    std::fs::copy(&old, facts(&bench.index_dir())).unwrap();
    bench.open_again().await;
    assert_eq!(bench.store.recovered().len(), 1);
    bench.reconcile().await;
    assert_eq!(bench.found("durians").await, ["d.md"]);
    assert_eq!(bench.content(WORDS).await, bench.fresh_content(WORDS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_two_damaged_copies_are_kept() {
    let mut bench = vault().await;
    for _ in 0..4 {
        bench.close().await;
        std::fs::write(facts(&bench.index_dir()), "bad").unwrap();
        bench.open_again().await;
    }
    let entries = std::fs::read_dir(bench.index_dir()).unwrap();
    let damaged = entries.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains(".damaged-")
    });
    assert_eq!(damaged.count(), 2);
    bench.reconcile().await;
    assert_eq!(bench.found("apples").await, ["a.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_replaces_nothing() {
    let bench = vault().await;
    bench.close().await;
    let read_only = || {
        Store::open_read_only(
            StoreConfig::new(bench.index_dir()),
            bench.vault.clone() as _,
        )
    };
    std::fs::write(facts(&bench.index_dir()), "bad").unwrap();
    let error = read_only().await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(facts(&bench.index_dir())).unwrap(), b"bad");
    std::fs::remove_file(facts(&bench.index_dir())).unwrap();
    let error = read_only().await.unwrap_err();
    assert!(matches!(error, OpenError::Absent { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_that_are_unreadable_while_the_text_is_rebuilt_are_looked_at_again() {
    let mut bench = vault().await;
    bench.close().await;
    std::fs::remove_dir_all(bench.index_dir().join("text")).unwrap();
    let (_, content) = bench.vault.get("a.md").unwrap();
    let _change = bench.vault.remove("a.md");
    bench.open_again().await;
    bench.store.settle().await.unwrap();
    // It is back, as it was.
    let _change = bench.vault.write("a.md", content);
    bench.reconcile().await;
    assert_eq!(bench.found("apples").await, ["a.md"]);
}

/// Notes the damaged file's stamp as that of a whole one, as if the disk had lost bits by itself.
#[cfg(unix)]
fn seal_again(index: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(facts(index)).unwrap();
    let seal = format!(
        "size={} inode={} modified={}.{:09} changed={}.{:09}\n",
        found.len(),
        found.ino(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    );
    assert!(index.join("facts.sealed").exists(), "closing seals");
    std::fs::write(index.join("facts.sealed"), seal).unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn damage_under_a_seal_that_holds_is_found_while_serving_and_mended_by_the_next_open() {
    let mut bench = vault().await;
    for number in 0..200 {
        bench
            .put(&format!("more {number}.md"), &"more apples\n\n".repeat(20))
            .await;
    }
    let expected = bench.content(WORDS).await;
    bench.close().await;
    let index = bench.index_dir();
    let pages = std::fs::metadata(facts(&index)).unwrap().len() / 8192;
    // A page in the middle holds rows that neither the open nor a health check asks for.
    overwrite(&facts(&index), pages / 2 * 8192, &[0xa5; 512]);
    seal_again(&index);
    bench.open_again().await;
    assert_eq!(bench.store.recovered(), Vec::<String>::new());
    let serving = serve(&bench.store).await;
    until("the damage is found", async || {
        let health = serving.service.health_check().await.unwrap();
        health.message.unwrap_or_default().contains("is damaged")
    })
    .await;
    serving.stop().await;
    bench.restart().await;
    assert_eq!(bench.store.recovered().len(), 1);
    bench.reconcile().await;
    assert_eq!(bench.content(WORDS).await, expected);
}
