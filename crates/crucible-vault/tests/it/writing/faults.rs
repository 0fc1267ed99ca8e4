//! What is refused, and what a refusal leaves behind: nothing.

use std::path::Path;
use std::process::Command;

use crucible_services::note_writer::{CreateNote, Edit, Error, NoteWriter as _};
use crucible_vault::{WriterConfig, WriterError};

use super::{Bench, append, author, hash, overwrite};

#[tokio::test]
async fn a_stale_hash_is_a_conflict_that_tells_both_sides() {
    let bench = Bench::new(&[("a.md", "one\n")]).await;
    let seen = bench.hash("a.md");
    std::fs::write(bench.at("a.md"), "theirs\n").unwrap();
    let conflict = bench.edit_seen("a.md", &seen, append("mine")).await;
    assert_eq!(
        conflict,
        Err(Error::Conflict {
            path: "a.md".to_owned(),
            seen,
            current: Some(hash(b"theirs\n")),
            text: Some("theirs\n".to_owned()),
        })
    );
    assert_eq!(bench.text("a.md").as_deref(), Some("theirs\n"));
    assert!(bench.told().is_empty());
    assert!(bench.writer.history(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_writers_of_one_note_do_not_lose_each_others_work() {
    let bench = Bench::new(&[("a.md", "start\n")]).await;
    let seen = bench.hash("a.md");
    let (first, second) = tokio::join!(
        bench.edit_seen("a.md", &seen, append("first")),
        bench.edit_seen("a.md", &seen, append("second")),
    );
    assert_eq!(
        [&first, &second].iter().filter(|done| done.is_ok()).count(),
        1
    );
    let refused = if first.is_ok() { second } else { first };
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    let created = futures(&bench).await;
    assert_eq!(created.iter().filter(|done| done.is_ok()).count(), 1);
}

async fn futures(bench: &Bench) -> [Result<super::Written, Error>; 3] {
    let (a, b, c) = tokio::join!(
        bench.create("new", "a"),
        bench.create("new", "b"),
        bench.create("new.md", "c"),
    );
    [a, b, c]
}

#[tokio::test]
async fn a_name_that_is_taken_is_not_given_again() {
    let bench = Bench::new(&[("Dir/Note.md", "x\n"), ("file", "x")]).await;
    for path in ["Dir/Note", "Dir/note.md"] {
        let refused = bench.create(path, "y").await;
        let path = "Dir/Note.md".to_owned();
        assert_eq!(refused, Err(Error::Exists { path }));
    }
    let refused = bench.create("file/x", "y").await;
    assert!(
        matches!(refused, Err(Error::InvalidPath { .. })),
        "{refused:?}"
    );
    assert_eq!(bench.all_names(), ["Dir/Note.md", "file"]);
}

#[tokio::test]
async fn nothing_outside_of_the_vault_is_reached() {
    let bench = Bench::new(&[("a.md", "x\n")]).await;
    let outside = bench.place.join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.md"), "secret\n").unwrap();
    std::os::unix::fs::symlink(&outside, bench.at("out")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret.md"), bench.at("link.md")).unwrap();
    let secret = hash(b"secret\n");
    for path in [
        "../outside/new",
        "out/new",
        "out/sub/new",
        "/tmp/new",
        ".hidden/new",
        "a/../../new",
    ] {
        let refused = bench.create(path, "x").await;
        assert!(
            matches!(refused, Err(Error::InvalidPath { .. })),
            "{path}: {refused:?}"
        );
    }
    for path in ["out/secret.md", "link.md", "../outside/secret.md"] {
        let refused = bench.edit_seen(path, &secret, overwrite("x")).await;
        assert!(
            matches!(refused, Err(Error::InvalidPath { .. })),
            "{path}: {refused:?}"
        );
    }
    let names: Vec<_> = std::fs::read_dir(&outside).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(
        std::fs::read(outside.join("secret.md")).unwrap(),
        b"secret\n"
    );
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_not_edited() {
    let bench = Bench::new(&[]).await;
    std::fs::write(bench.at("latin.md"), b"caf\xe9\n").unwrap();
    let refused = bench.edit("latin.md", append("x")).await;
    assert!(
        matches!(refused, Err(Error::EditRefused { .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(bench.at("latin.md")).unwrap(), b"caf\xe9\n");
    let refused = bench.create("binary", &"\u{1}".repeat(100)).await;
    assert!(
        matches!(refused, Err(Error::EditRefused { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_refused() {
    let bench = Bench::new(&[("a.md", "x\n")]).await;
    for edits in [overwrite("x\n"), Vec::new(), append("")] {
        let refused = bench.edit("a.md", edits).await;
        assert!(
            matches!(refused, Err(Error::EditRefused { .. })),
            "{refused:?}"
        );
    }
    let absent = bench.edit_seen("b.md", "", append("x")).await;
    assert_eq!(
        absent,
        Err(Error::NotFound {
            path: "b.md".to_owned()
        })
    );
}

#[tokio::test]
async fn a_folder_without_write_permission_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may write everything");
        return;
    }
    let bench = Bench::new(&[("shut/a.md", "x\n")]).await;
    let mode = |mode| {
        std::fs::set_permissions(bench.at("shut"), std::fs::Permissions::from_mode(mode)).unwrap()
    };
    mode(0o555);
    let refused = bench.edit("shut/a.md", append("y")).await;
    mode(0o755);
    assert!(refused.unwrap_err().to_string().contains("permissions"));
    assert_eq!(bench.text("shut/a.md").as_deref(), Some("x\n"));
    bench.edit("shut/a.md", append("y")).await.unwrap();
}

/// A file system in memory, gone with the value.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            _ => None,
        }
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn fill(disk: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(disk.join("filler")).unwrap();
    for bytes in [1 << 16, 1 << 12, 1 << 8] {
        while file.write_all(&vec![0; bytes]).is_ok() {}
    }
}

#[tokio::test]
async fn a_full_disk_leaves_every_note_as_it_was() {
    let bench = Bench::new(&[("elsewhere.md", "x\n")]).await;
    let Some(disk) = SmallDisk::mount(&bench.at("small")) else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    bench.create("small/a", "x\n").await.unwrap();
    fill(&disk.0);
    let before = bench.all_names();
    let refused = bench
        .edit("small/a.md", append(&"word ".repeat(20_000)))
        .await;
    assert!(refused.unwrap_err().to_string().contains("full"));
    let refused = bench.create("small/b", &"word ".repeat(20_000)).await;
    assert!(refused.unwrap_err().to_string().contains("full"));
    assert_eq!(bench.all_names(), before);
    assert_eq!(bench.text("small/a.md").as_deref(), Some("x\n"));
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    bench.edit("small/a.md", append("y")).await.unwrap();

    disk.remount("ro");
    let refused = bench.edit("small/a.md", append("z")).await;
    assert!(
        matches!(refused, Err(Error::ReadOnly { .. })),
        "{refused:?}"
    );
    disk.remount("rw");
    bench.edit("small/a.md", append("z")).await.unwrap();
    assert_eq!(bench.text("small/a.md").as_deref(), Some("x\ny\nz\n"));
}

#[tokio::test]
async fn a_full_disk_under_the_history_refuses_changes_until_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    let Some(disk) = SmallDisk::mount(&place.join("history")) else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    let bench = Bench::open(&place, WriterConfig::default()).await.unwrap();
    bench.create("a", "x\n").await.unwrap();
    fill(&disk.0);
    let mut text = "x\n".to_owned();
    let mut refusals = 0;
    for number in 0..40 {
        let line = format!("line {number} {}", "y".repeat(400));
        match bench.edit("a.md", append(&line)).await {
            Ok(_) => text = format!("{text}{line}\n"),
            Err(error) => {
                assert!(error.to_string().contains("room"), "{error}");
                refusals += 1;
            }
        }
        assert_eq!(bench.text("a.md").as_deref(), Some(text.as_str()));
    }
    assert!(refusals > 0);
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    bench.edit("a.md", append("after")).await.unwrap();
    let bench = bench.reopen(WriterConfig::default()).await;
    bench.undo(None).await.unwrap();
    assert_eq!(bench.text("a.md").as_deref(), Some(text.as_str()));
    drop(bench);
    drop(disk);
}

#[tokio::test]
async fn one_process_at_a_time_writes_to_a_vault() {
    let bench = Bench::new(&[]).await;
    std::fs::create_dir_all(bench.place.join("other")).unwrap();
    let tasks = crucible_services::tasks::TaskOwner::new("other");
    let second = crucible_vault::VaultWriter::new(
        bench.folder.clone(),
        bench.index.clone() as _,
        std::sync::Arc::new(bench.index.store.clone()),
        bench.place.join("history"),
        WriterConfig::default(),
        &tasks,
    )
    .await;
    assert!(
        matches!(second, Err(WriterError::Busy { .. })),
        "{second:?}"
    );
}

#[tokio::test]
async fn a_writer_that_was_stopped_says_so() {
    let bench = Bench::new(&[]).await;
    bench
        .tasks
        .shutdown(crate::recorder::DEADLINE)
        .await
        .unwrap();
    let request = CreateNote {
        path: "a".to_owned(),
        text: String::new(),
    };
    let refused = bench.writer.create(request, author()).await;
    assert!(refused.unwrap_err().to_string().contains("stopped"));
}

#[tokio::test]
async fn a_piece_that_is_not_there_is_refused_with_its_reason() {
    let bench = Bench::new(&[("a.md", "ab ab\n")]).await;
    let edits = vec![Edit::Replace {
        old: "ab".to_owned(),
        new: "c".to_owned(),
    }];
    let refused = bench.edit("a.md", edits).await.unwrap_err().to_string();
    assert!(
        refused.contains("edit 1") && refused.contains("2 times"),
        "{refused}"
    );
}
