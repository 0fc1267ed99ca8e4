//! Moves, and the links that follow them.

use crucible_services::note_writer::{Error, MoveNote, NoteWriter as _};
use std::os::unix::fs::MetadataExt as _;

use super::{Bench, author};

#[tokio::test]
async fn links_to_a_moved_note_follow_it() {
    let bench = Bench::new(&[
        ("Old.md", "# Old\n[[Old#Old]] and [pic](pic.png)\n"),
        ("pic.png", "x"),
        ("a/wiki.md", "[[Old|the old one]] `[[Old]]` ![[Old#^x]]\n"),
        ("a/markdown.md", "[t](../Old.md#old \"T\") %%[[Old]]%%\n"),
        ("property.md", "---\nup: \"[[Old]]\"\n---\n"),
        ("stranger.md", "[[Older]]\n"),
    ])
    .await;
    let written = bench.rename("Old.md", "Archive/New name").await.unwrap();
    assert_eq!(written.path, "Archive/New name.md");
    assert_eq!(written.also, ["a/markdown.md", "a/wiki.md", "property.md"]);
    assert_eq!(
        bench.text("a/wiki.md").unwrap(),
        "[[New name|the old one]] `[[Old]]` ![[New name#^x]]\n"
    );
    assert_eq!(
        bench.text("a/markdown.md").unwrap(),
        "[t](../Archive/New%20name.md#old \"T\") %%[[Old]]%%\n"
    );
    assert_eq!(
        bench.text("property.md").unwrap(),
        "---\nup: \"[[New name]]\"\n---\n"
    );
    assert_eq!(
        bench.text("Archive/New name.md").unwrap(),
        "# Old\n[[New name#Old]] and [pic](../pic.png)\n"
    );
    assert_eq!(bench.text("stranger.md").unwrap(), "[[Older]]\n");
    assert_eq!(bench.text("Old.md"), None);
    bench.check_index().await;
    // All links lead somewhere, as the store reads them.
    use crucible_services::data_store::DataStore as _;
    let stats = bench.index.store.stats().await.unwrap();
    assert_eq!(stats.links_unresolved, 1, "only that to Older");

    let undone = bench.undo(None).await.unwrap();
    assert_eq!(undone.path, "Old.md");
    assert_eq!(
        bench.text("Old.md").unwrap(),
        "# Old\n[[Old#Old]] and [pic](pic.png)\n"
    );
    assert_eq!(
        bench.text("property.md").unwrap(),
        "---\nup: \"[[Old]]\"\n---\n"
    );
    assert_eq!(bench.text("Archive/New name.md"), None);
    bench.check_index().await;
}

#[tokio::test]
async fn a_note_whose_text_stays_is_moved_as_the_file_it_is() {
    let bench = Bench::new(&[("a.md", "text\n"), ("b.md", "[[a]]\n")]).await;
    let inode = |path: &str| std::fs::metadata(bench.at(path)).unwrap().ino();
    let before = inode("a.md");
    let written = bench.rename("a.md", "dir/a.md").await.unwrap();
    assert_eq!(inode("dir/a.md"), before);
    assert!(written.also.is_empty(), "the name still finds it");
    assert_eq!(bench.told(), ["a.md->dir/a.md", "+dir/a.md"]);
    bench.undo(None).await.unwrap();
    assert_eq!(inode("a.md"), before);
    assert_eq!(bench.told(), ["dir/a.md->a.md", "+a.md"]);
    bench.check_index().await;
}

#[tokio::test]
async fn a_name_can_change_its_case_only() {
    let bench = Bench::new(&[("note.md", "x\n"), ("b.md", "[[note]] [m](note.md)\n")]).await;
    bench.rename("note.md", "Note.md").await.unwrap();
    assert_eq!(bench.all_names(), ["Note.md", "b.md"]);
    assert_eq!(bench.text("b.md").unwrap(), "[[note]] [m](Note.md)\n");
    bench.check_index().await;
}

#[tokio::test]
async fn a_name_that_others_have_is_written_as_a_path() {
    let bench = Bench::new(&[("a/x.md", "1\n"), ("b/y.md", "2\n"), ("l.md", "[[x]]\n")]).await;
    bench.rename("a/x.md", "c/y").await.unwrap();
    assert_eq!(bench.text("l.md").unwrap(), "[[c/y]]\n");
}

#[tokio::test]
async fn one_conflict_anywhere_and_nothing_is_moved() {
    let bench = Bench::new(&[
        ("a.md", "x\n"),
        ("b.md", "[[a]]\n"),
        ("c.md", "[[a]] too\n"),
    ])
    .await;
    std::fs::write(bench.at("c.md"), "[[a]] changed\n").unwrap();
    let refused = bench.rename("a.md", "z.md").await;
    assert!(
        matches!(&refused, Err(Error::Conflict { path, .. }) if path == "c.md"),
        "{refused:?}"
    );
    assert_eq!(bench.all_names(), ["a.md", "b.md", "c.md"]);
    assert_eq!(bench.text("b.md").unwrap(), "[[a]]\n");
    let refused = bench.rename("b.md", "a.md").await;
    assert!(matches!(refused, Err(Error::Exists { .. })), "{refused:?}");
}

#[tokio::test]
async fn links_stay_when_nobody_asks_for_them() {
    let bench = Bench::new(&[("a.md", "x\n"), ("b.md", "[[a]]\n")]).await;
    let request = MoveNote {
        from: "a.md".to_owned(),
        to: "z".to_owned(),
        seen: bench.hash("a.md"),
        update_links: false,
    };
    bench.writer.rename(request, author()).await.unwrap();
    assert_eq!(bench.text("b.md").unwrap(), "[[a]]\n");
}
