//! Creating, editing and deleting, when all goes well.

use std::os::unix::fs::PermissionsExt as _;

use crucible_services::data_store::DataStore as _;
use crucible_services::events::{DaemonEvent, EventPayload, EventSource, EventType};
use crucible_services::note_writer::{ChangeAction, CreateNote, Edit, Error, NoteWriter as _};

use super::{Bench, append, author, hash};

#[tokio::test]
async fn a_created_note_is_on_disk_and_can_be_read_at_once() {
    let bench = Bench::new(&[]).await;
    let written = bench.create("Projects/🦀 Crab", "# Crab\n").await.unwrap();
    assert_eq!(written.path, "Projects/🦀 Crab.md");
    assert_eq!(written.hash.as_deref(), Some(hash(b"# Crab\n").as_str()));
    assert_eq!(
        bench.text("Projects/🦀 Crab.md").as_deref(),
        Some("# Crab\n")
    );
    let note = bench.index.store.note("Crab").await.unwrap();
    assert_eq!(note.text, "# Crab\n");
    assert_eq!(bench.told(), ["+Projects/🦀 Crab.md"]);
    assert_eq!(bench.all_names(), ["Projects/🦀 Crab.md"]);
    bench.check_index().await;
}

#[tokio::test]
async fn edits_are_applied_one_after_the_other_or_not_at_all() {
    let bench = Bench::new(&[("a.md", "---\nx: 1\n---\r\n# A\r\n- one\r\n")]).await;
    let edits = vec![
        Edit::AppendToSection {
            heading: "A".to_owned(),
            text: "- two".to_owned(),
        },
        Edit::Replace {
            old: "- two".to_owned(),
            new: "- three".to_owned(),
        },
    ];
    bench.edit("a.md", edits).await.unwrap();
    let text = bench.text("a.md").unwrap();
    assert!(
        text.ends_with("- one\r\n- three\r\n") || text.ends_with("- one\r\n- three\n"),
        "{text:?}"
    );
    let refused = bench
        .edit(
            "a.md",
            vec![
                append("x").remove(0),
                Edit::Replace {
                    old: "nowhere".to_owned(),
                    new: String::new(),
                },
            ],
        )
        .await;
    assert!(
        matches!(refused, Err(Error::EditRefused { index: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(bench.text("a.md").unwrap(), text);
    bench.check_index().await;
}

#[tokio::test]
async fn rights_of_a_note_outlive_an_edit() {
    let bench = Bench::new(&[("a.md", "a\n")]).await;
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(bench.at("a.md"), mode(0o640)).unwrap();
    bench.edit("a.md", append("b")).await.unwrap();
    let rights = std::fs::metadata(bench.at("a.md")).unwrap().permissions();
    assert_eq!(rights.mode() & 0o777, 0o640);
}

#[tokio::test]
async fn a_deleted_note_is_gone_from_disk_and_index() {
    let bench = Bench::new(&[("a.md", "a\n"), ("b.md", "b\n")]).await;
    let written = bench.delete("a.md").await.unwrap();
    assert_eq!((written.path.as_str(), written.hash), ("a.md", None));
    assert_eq!(bench.told(), ["-a.md"]);
    assert_eq!(bench.all_names(), ["b.md"]);
    bench.check_index().await;
}

#[tokio::test]
async fn the_index_is_told_the_cause_of_a_change() {
    let bench = Bench::new(&[]).await;
    let event = DaemonEvent::new(
        EventType::Custom {
            name: "x".to_owned(),
        },
        EventSource::manual("me"),
        EventPayload::text(""),
    );
    let by = author().caused_by(event.as_cause());
    let request = CreateNote {
        path: "a".to_owned(),
        text: "a".to_owned(),
    };
    bench.writer.create(request, by).await.unwrap();
    let told = bench.index.told.lock().unwrap().clone();
    assert_eq!(told, [("+a.md".to_owned(), Some(event.as_cause()))]);
}

#[tokio::test]
async fn the_history_tells_who_did_what_newest_first() {
    let bench = Bench::new(&[]).await;
    let created = bench.create("a", "one\n").await.unwrap();
    bench.create("b", "b\n").await.unwrap();
    let edited = bench.edit("a.md", append("two")).await.unwrap();
    let all = bench.writer.history(None, 10).await.unwrap();
    let actions: Vec<_> = all
        .iter()
        .map(|change| (change.action, change.path.as_str()))
        .collect();
    assert_eq!(
        actions,
        [
            (ChangeAction::Edit, "a.md"),
            (ChangeAction::Create, "b.md"),
            (ChangeAction::Create, "a.md"),
        ]
    );
    assert_eq!(all[0].by, "test");
    assert_eq!(all[0].before, created.hash);
    assert_eq!(all[0].after, edited.hash);
    let of_b = bench.writer.history(Some("b.md"), 10).await.unwrap();
    assert_eq!(of_b.len(), 1);
    assert_eq!(bench.writer.history(None, 1).await.unwrap().len(), 1);
}
