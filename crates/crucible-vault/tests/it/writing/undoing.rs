//! The way back, and how far it reaches.

use crucible_services::note_writer::{Error, NoteWriter as _};
use crucible_vault::WriterConfig;

use super::{Bench, append, overwrite};

#[tokio::test]
async fn undoing_goes_back_step_by_step_and_can_be_undone() {
    let bench = Bench::new(&[]).await;
    bench.create("a", "1\n").await.unwrap();
    bench.edit("a.md", append("2")).await.unwrap();
    bench.edit("a.md", append("3")).await.unwrap();
    let third = bench.undo(None).await.unwrap();
    assert_eq!(bench.text("a.md").as_deref(), Some("1\n2\n"));
    bench.undo(None).await.unwrap();
    assert_eq!(bench.text("a.md").as_deref(), Some("1\n"));
    bench.undo(None).await.unwrap();
    assert_eq!(bench.text("a.md"), None);
    let end = bench.undo(None).await;
    assert!(matches!(end, Err(Error::NothingToUndo { .. })), "{end:?}");
    let stale = bench.undo(Some(&third.change)).await;
    assert!(matches!(stale, Err(Error::Conflict { .. })), "{stale:?}");
    bench.check_index().await;
}

#[tokio::test]
async fn an_undone_change_comes_back_and_can_be_undone_again() {
    let bench = Bench::new(&[("a.md", "1\n")]).await;
    let edit = bench.edit("a.md", append("2")).await.unwrap();
    let undo = bench.undo(Some(&edit.change)).await.unwrap();
    let twice = bench
        .undo(Some(&edit.change))
        .await
        .unwrap_err()
        .to_string();
    assert!(twice.contains("undone already"), "{twice}");
    bench.undo(Some(&undo.change)).await.unwrap();
    assert_eq!(bench.text("a.md").as_deref(), Some("1\n2\n"));
    bench.undo(None).await.unwrap();
    assert_eq!(bench.text("a.md").as_deref(), Some("1\n"));
}

#[tokio::test]
async fn a_deleted_note_comes_back_after_a_restart() {
    let bench = Bench::new(&[("dir/a.md", "precious\n")]).await;
    bench.delete("dir/a.md").await.unwrap();
    std::fs::remove_dir(bench.at("dir")).unwrap();
    let bench = bench.reopen(WriterConfig::default()).await;
    bench.undo(None).await.unwrap();
    assert_eq!(bench.text("dir/a.md").as_deref(), Some("precious\n"));
    bench.check_index().await;
}

#[tokio::test]
async fn a_file_that_changed_since_is_not_undone() {
    let bench = Bench::new(&[("a.md", "1\n")]).await;
    bench.edit("a.md", append("2")).await.unwrap();
    std::fs::write(bench.at("a.md"), "theirs\n").unwrap();
    let refused = bench.undo(None).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(bench.text("a.md").as_deref(), Some("theirs\n"));
}

#[tokio::test]
async fn the_history_is_bounded_by_count_and_the_oldest_goes_first() {
    let bench = Bench::new(&[("a.md", "0\n")]).await;
    let config = WriterConfig {
        history_changes_max: 10,
        ..WriterConfig::default()
    };
    let bench = bench.reopen(config.clone()).await;
    for number in 1..=30 {
        bench
            .edit("a.md", overwrite(&format!("{number}\n")))
            .await
            .unwrap();
        let kept = bench.writer.history(None, 100).await.unwrap();
        assert!(kept.len() <= 10 && kept.len() >= 9.min(number));
    }
    let bench = bench.reopen(config).await;
    let kept = bench.writer.history(None, 100).await.unwrap();
    assert!(kept.len() >= 9, "{} changes", kept.len());
    // Each way back is a change too, so that the oldest go.
    for _ in 0..4 {
        bench.undo(None).await.unwrap();
    }
    assert_eq!(bench.text("a.md").as_deref(), Some("26\n"));
}

#[tokio::test]
async fn the_history_is_bounded_by_bytes() {
    let bench = Bench::new(&[("a.md", "0\n")]).await;
    let config = WriterConfig {
        history_bytes_max: 100_000,
        ..WriterConfig::default()
    };
    let bench = bench.reopen(config).await;
    for number in 0..20 {
        let text = format!("{number} {}\n", "x".repeat(20_000));
        bench.edit("a.md", overwrite(&text)).await.unwrap();
        let mut bytes = 0;
        for shelf in std::fs::read_dir(bench.place.join("history/blobs")).unwrap() {
            for blob in std::fs::read_dir(shelf.unwrap().path()).unwrap() {
                bytes += blob.unwrap().metadata().unwrap().len();
            }
        }
        assert!(bytes <= 100_000, "{bytes} bytes");
    }
    bench.undo(None).await.unwrap();
    assert!(bench.text("a.md").unwrap().starts_with("18 "));
}
