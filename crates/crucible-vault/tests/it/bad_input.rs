//! What should not be in a vault, and is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crucible_services::data_store::ProblemKind;
use crucible_services::note_index::NoteSource as _;
use crucible_vault::VaultConfig;

use crate::recorder::TestVault;

#[cfg(unix)]
#[tokio::test]
async fn links_are_named_with_where_they_lead_and_never_followed() {
    use std::os::unix::fs::symlink;
    let vault = TestVault::new();
    vault.write("real/note.md", "x");
    std::fs::create_dir(vault.outside("elsewhere")).unwrap();
    std::fs::write(vault.outside("elsewhere/secret.md"), "secret").unwrap();
    symlink(vault.outside("elsewhere"), vault.root().join("out")).unwrap();
    symlink(
        vault.outside("elsewhere/secret.md"),
        vault.root().join("out.md"),
    )
    .unwrap();
    symlink("..", vault.root().join("real/up")).unwrap();
    symlink("circle-b.md", vault.root().join("circle-a.md")).unwrap();
    symlink("circle-a.md", vault.root().join("circle-b.md")).unwrap();
    symlink("nothing.md", vault.root().join("dangling.md")).unwrap();
    symlink("real/note.md", vault.root().join("inside.md")).unwrap();
    let report = vault.reconcile().await;
    assert_eq!((report.notes, report.skipped), (1, 7));
    let check = |path: &str, leads: &str| {
        let problem = vault
            .index
            .problems()
            .into_iter()
            .find(|problem| problem.path == path);
        let problem = problem.unwrap_or_else(|| panic!("{path} is not named"));
        assert_eq!(problem.kind, ProblemKind::Link, "{path}");
        assert!(
            problem.message.contains(leads),
            "{path}: {}",
            problem.message
        );
    };
    check("out", "out of the vault");
    check("out.md", "out of the vault");
    check("real/up", "back into the vault");
    check("circle-a.md", "circle");
    check("dangling.md", "nowhere");
    check("inside.md", "back into the vault");
    for path in ["out/secret.md", "out.md", "real/up/real/note.md"] {
        assert!(vault.folder().read(path).await.is_err(), "{path}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn pipe_named_like_a_note_is_named_and_never_waited_for() {
    let vault = TestVault::new();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    let pipe = vault.root().join("x.md");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    vault.write("y.md", "y");
    vault.reconcile().await;
    assert_eq!(vault.index.problem("x.md"), Some(ProblemKind::NotRegular));
    assert_eq!(vault.index.note("y.md").as_deref(), Some("y"));
    assert!(vault.folder().read("x.md").await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn unreadable_file_and_folder_are_named_and_the_rest_is_indexed() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may read everything");
        return;
    }
    let vault = TestVault::new();
    let mode = |path: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(vault.root().join(path), mode).unwrap();
    };
    vault.write("shut.md", "x");
    vault.write("folder/in.md", "x");
    vault.write("open.md", "x");
    vault.reconcile().await;
    mode("shut.md", 0);
    mode("folder", 0);
    vault.write("new.md", "x");
    vault.reconcile().await;
    assert_eq!(vault.index.problem("folder"), Some(ProblemKind::Unreadable));
    assert!(
        vault.index.paths().contains(&"folder/in.md".to_owned()),
        "not seen is not deleted"
    );
    assert!(vault.index.paths().contains(&"new.md".to_owned()));
    mode("shut.md", 0o644);
    mode("folder", 0o755);
    vault.reconcile().await;
    assert_eq!(vault.index.files(), vault.on_disk());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_not_utf8_are_named_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let vault = TestVault::new();
    for name in [&b"a\xff.md"[..], b"a\xfe.md"] {
        std::fs::write(vault.root().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let folder = vault.root().join(OsStr::from_bytes(b"folder \xff"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("in.md"), "x").unwrap();
    vault.write("good.md", "x");
    vault.reconcile().await;
    let problems = vault.index.problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem.kind == ProblemKind::NameNotUtf8)
    );
    assert_eq!(vault.index.paths().len(), 4);
    let again = vault.reconcile().await;
    assert_eq!((again.upserted, again.removed), (0, 0));
    std::fs::remove_dir_all(folder).unwrap();
    vault.reconcile().await;
    assert_eq!(vault.index.problems().len(), 2);
}

#[tokio::test]
async fn folders_200_deep_are_indexed_and_deeper_than_the_limit_named() {
    let vault = TestVault::new();
    let deep = |depth| vec!["d"; depth].join("/");
    vault.write(&format!("{}/note.md", deep(200)), "deep");
    vault.write(&format!("{}/at the limit.md", deep(256)), "x");
    vault.write(&format!("{}/below.md", deep(257)), "x");
    vault.reconcile().await;
    assert_eq!(
        vault
            .index
            .note(&format!("{}/note.md", deep(200)))
            .as_deref(),
        Some("deep")
    );
    assert!(
        vault
            .index
            .note(&format!("{}/at the limit.md", deep(256)))
            .is_some()
    );
    assert_eq!(vault.index.problem(&deep(257)), Some(ProblemKind::TooDeep));
    assert_eq!(vault.index.paths().len(), 3);
}

#[tokio::test]
async fn unicode_twins_are_two_files() {
    let vault = TestVault::new();
    vault.write("caf\u{e9}.md", "nfc");
    vault.write("cafe\u{301}.md", "nfd");
    vault.reconcile().await;
    assert_eq!(vault.index.note("caf\u{e9}.md").as_deref(), Some("nfc"));
    assert_eq!(vault.index.note("cafe\u{301}.md").as_deref(), Some("nfd"));
}

#[tokio::test]
async fn note_above_the_limit_is_named_and_comes_back_when_it_shrinks() {
    let mut vault = TestVault::new();
    vault.config = VaultConfig {
        note_bytes_max: 1000,
        ..vault.config
    };
    vault.write("big.md", &"x".repeat(1001));
    vault.write("big.png", &"x".repeat(1001));
    vault.reconcile().await;
    assert_eq!(vault.index.problem("big.md"), Some(ProblemKind::TooLarge));
    assert_eq!(vault.index.problem("big.png"), None);
    vault.write("big.md", "small");
    vault.reconcile().await;
    assert_eq!(vault.index.note("big.md").as_deref(), Some("small"));
}

/// Writers hammer on the notes while they are read; what is handed over in the end is the disk.
#[tokio::test(flavor = "multi_thread")]
async fn notes_deleted_and_replaced_while_read_end_as_the_disk_is() {
    let vault = TestVault::new();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let root = vault.root().to_path_buf();
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || hammer(&root, writer, &stop))
        })
        .collect();
    for _ in 0..5 {
        let outcome = vault.try_reconcile().await;
        if let Err(error) = outcome {
            assert!(
                matches!(error, crucible_vault::ReconcileError::FolderEmpty { .. }),
                "{error}"
            );
        }
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.join().unwrap();
    }
    vault.write("last.md", "x");
    vault.reconcile().await;
    assert_eq!(vault.index.files(), vault.on_disk());
    assert_eq!(vault.index.faults(), Vec::<String>::new());
}

fn hammer(root: &Path, writer: usize, stop: &AtomicBool) {
    for round in 0_usize.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let note = root.join(format!("{writer}-{}.md", round % 20));
        match round % 3 {
            0 => std::fs::write(&note, format!("whole {round}\n").repeat(round % 500)).unwrap(),
            1 => {
                let fresh = root.join(format!(".{writer}"));
                std::fs::write(&fresh, format!("replaced {round}")).unwrap();
                std::fs::rename(&fresh, &note).unwrap();
            }
            _ => drop(std::fs::remove_file(&note)),
        }
    }
}
