//! A store that only reads sees what another one writes.

use crucible_services::data_store::{DataStore as _, Error};
use crucible_services::note_index::{ChangeBatch, ChangeOrigin, NoteIndex as _};
use crucible_store::{Store, StoreConfig};

use crate::bench::{Bench, found, until};

async fn reader(bench: &Bench) -> Store {
    let config = StoreConfig::new(bench.index_dir());
    Store::open_read_only(config, bench.vault.clone() as _)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_the_writer_are_seen() {
    let bench = Bench::with(&[("a.md", "apples")]).await;
    let reader = reader(&bench).await;
    assert_eq!(found(&reader, "apples").await, ["a.md"]);
    for number in 0..5 {
        bench.put("b.md", &format!("bananas{number} [[a]]")).await;
        until("the reader sees the note", async || {
            found(&reader, &format!("bananas{number}")).await == ["b.md"]
        })
        .await;
        let backlinks = reader.links("a").await.unwrap().backlinks;
        assert_eq!(backlinks.len(), 1);
    }
    let stats = reader.stats().await.unwrap();
    assert_eq!((stats.notes, stats.text_pending), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_works_without_any_writer_and_leaves_no_lock() {
    let mut bench = Bench::with(&[("a.md", "apples")]).await;
    bench.close().await;
    let reader = reader(&bench).await;
    assert_eq!(reader.note("a").await.unwrap().text, "apples");
    bench.open_again().await;
    bench.put("a.md", "pears").await;
    until("the reader sees the change", async || {
        found(&reader, "pears").await == ["a.md"]
    })
    .await;
    reader.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_refuses_to_write() {
    let bench = Bench::with(&[("a.md", "apples")]).await;
    let reader = reader(&bench).await;
    let changes = vec![bench.vault.write("b.md", "bananas")];
    let origin = ChangeOrigin::Change;
    let refused = reader
        .apply(ChangeBatch {
            changes,
            origin,
            cause: None,
        })
        .await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })));
    assert!(reader.settle().await.is_err());
}
