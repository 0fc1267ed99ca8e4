//! A file that moves keeps what it says; links follow the names.

use crucible_services::data_store::DataStore as _;
use crucible_services::note_index::{FileStamp, NoteIndex as _};

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_note_is_not_parsed_and_found_under_its_new_path() {
    let bench = Bench::with(&[("a/old.md", "turnips #root"), ("b.md", "[[old]] [[new]]")]).await;
    let parsed = bench.store.stats().await.unwrap().parsed_since_open;
    let change = bench.vault.rename("a/old.md", "c/new.md");
    let applied = bench.apply(vec![change]).await;
    assert_eq!((applied.moved, applied.parsed), (1, 0));
    let stats = bench.store.stats().await.unwrap();
    assert_eq!(stats.parsed_since_open, parsed);
    assert_eq!(stats.text_pending, 0);
    assert_eq!(bench.found("turnips").await, ["c/new.md"]);
    assert_eq!(
        bench.resolved("b").await,
        [None, Some("c/new.md".to_owned())]
    );
    assert_eq!(
        bench.content(&["turnips", "new", "old"]).await,
        bench.fresh_content(&["turnips", "new", "old"]).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_title_that_came_from_the_name_follows_it() {
    let bench = Bench::with(&[
        ("bare.md", "text"),
        ("heading.md", "# heading"),
        ("front.md", "---\ntitle: front\n---\n"),
    ])
    .await;
    for (name, title) in [
        ("bare", "moved"),
        ("heading", "heading"),
        ("front", "front"),
    ] {
        let change = bench.vault.rename(&format!("{name}.md"), "x/moved.md");
        bench.apply(vec![change]).await;
        let note = bench.store.note("x/moved").await.unwrap();
        assert_eq!(note.summary.title, title);
        let words = ["moved", "heading", "front"];
        assert_eq!(
            bench.content(&words).await,
            bench.fresh_content(&words).await
        );
        let change = bench.vault.remove("x/moved.md");
        bench.apply(vec![change]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_onto_another_file_replaces_it() {
    let bench = Bench::with(&[("a.md", "apples"), ("b.md", "bananas")]).await;
    let change = bench.vault.rename("a.md", "b.md");
    bench.apply(vec![change]).await;
    assert_eq!(bench.found("apples").await, ["b.md"]);
    assert_eq!(bench.found("bananas").await, Vec::<String>::new());
    assert_eq!(bench.store.known_files().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_folder_takes_its_notes_and_files_along() {
    let bench = Bench::with(&[
        ("old/a.md", "apples ![[pic.png]]"),
        ("old/deep/b.md", "[up](../a.md)"),
        ("old/pic.png", ""),
    ])
    .await;
    let changes = ["a.md", "deep/b.md", "pic.png"].map(|name| {
        bench
            .vault
            .rename(&format!("old/{name}"), &format!("new/{name}"))
    });
    assert_eq!(bench.apply(changes.to_vec()).await.moved, 3);
    assert_eq!(
        bench.resolved("new/deep/b.md").await,
        [Some("new/a.md".to_owned())]
    );
    assert_eq!(
        bench.content(&["apples"]).await,
        bench.fresh_content(&["apples"]).await
    );
    let known = bench.store.known_files().await.unwrap();
    assert!(known.keys().all(|path| path.starts_with("new/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_file_whose_content_differs_by_then_is_read_again() {
    let mut bench = Bench::with(&[("a.md", "apples")]).await;
    let change = bench.vault.rename("a.md", "b.md");
    // Somebody writes to it before the index looks; the vault has not told yet.
    let late = bench.vault.write("b.md", "bananas");
    bench.apply(vec![change]).await;
    assert_eq!(bench.found("bananas").await, ["b.md"]);
    bench.restart().await;
    let known = bench.store.known_files().await.unwrap();
    let nothing = FileStamp {
        size: 0,
        modified_ns: 0,
        inode: 0,
    };
    assert_eq!(known["b.md"], nothing);
    assert_eq!(bench.apply(vec![late]).await.parsed, 1);
}
