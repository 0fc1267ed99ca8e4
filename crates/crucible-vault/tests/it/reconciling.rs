//! One comparison: what is read, what is left out, what is told.

use crucible_services::data_store::Error;
use crucible_services::note_index::{ChangeOrigin, NoteSource as _};
use crucible_vault::{LeftOutRule, OpenError, ReconcileError, VaultConfig, VaultFolder, left_out};

use crate::recorder::{Held, TestVault};

#[tokio::test]
async fn first_comparison_hands_over_everything_as_first_index() {
    let vault = TestVault::new();
    vault.write("Home.md", "# Home");
    vault.write("a b/🦀 crab.MARKDOWN", "crab");
    vault.write("a b/new\nline.md", "line");
    vault.write("image.png", "not read");
    let report = vault.reconcile().await;
    assert_eq!((report.files, report.notes, report.upserted), (4, 3, 4));
    assert_eq!(
        vault.index.note("a b/🦀 crab.MARKDOWN").as_deref(),
        Some("crab")
    );
    assert_eq!(
        vault.index.note("a b/new\nline.md").as_deref(),
        Some("line")
    );
    assert_eq!(vault.index.files()["image.png"], Held::Attachment);
    assert_eq!(vault.index.origins(), [ChangeOrigin::FirstIndex]);
}

#[tokio::test]
async fn unchanged_vault_is_not_read() {
    let vault = TestVault::new();
    for number in 0..50 {
        vault.write(&format!("{}/{number}.md", number % 5), "text");
    }
    vault.reconcile().await;
    assert_eq!(vault.index.notes_read(), 50);
    vault.index.take_log();
    let report = vault.reconcile().await;
    assert_eq!((report.unchanged, report.upserted), (50, 0));
    assert_eq!(vault.index.notes_read(), 50);
    assert!(vault.index.log().is_empty());
}

#[tokio::test]
async fn changes_while_nobody_watched_are_found() {
    let vault = TestVault::new();
    vault.write("stays.md", "1");
    vault.write("edited.md", "1");
    vault.write("deleted.md", "1");
    vault.write("old/name.md", "a name that moves");
    vault.write("old/picture.png", "x");
    vault.reconcile().await;
    vault.index.take_log();
    vault.write("edited.md", "22");
    vault.remove("deleted.md");
    vault.rename("old", "new");
    vault.write("created.md", "1");
    let report = vault.reconcile().await;
    let mut log = vault.index.take_log();
    log.sort();
    let expected = [
        "+created.md",
        "+edited.md",
        "-deleted.md",
        "old/name.md->new/name.md",
        "old/picture.png->new/picture.png",
    ];
    assert_eq!(log, expected);
    assert_eq!((report.upserted, report.removed, report.moved), (2, 1, 2));
    assert_eq!(*vault.index.origins().last().unwrap(), ChangeOrigin::Change);
    assert_eq!(vault.index.files(), vault.on_disk());
}

#[tokio::test]
async fn file_that_becomes_a_folder_and_back_is_followed() {
    let vault = TestVault::new();
    vault.write("a.md", "file");
    vault.reconcile().await;
    vault.remove("a.md");
    vault.write("a.md/b.md", "in a folder named like a note");
    vault.reconcile().await;
    assert_eq!(vault.index.paths(), ["a.md/b.md"]);
    std::fs::remove_dir_all(vault.root().join("a.md")).unwrap();
    vault.write("a.md", "file again");
    vault.reconcile().await;
    assert_eq!(vault.index.paths(), ["a.md"]);
}

#[tokio::test]
async fn ignore_files_and_hidden_names_and_temporary_names_are_left_out() {
    let vault = TestVault::new();
    vault.write(".gitignore", "/drafts/\n!.obsidian\n");
    vault.write(".crucibleignore", "*.secret.md\n");
    vault.write("sub/.gitignore", "local.md\n");
    for left_out in [
        "drafts/a.md",
        "x.secret.md",
        "sub/y.secret.md",
        "sub/local.md",
        ".obsidian/a.md",
        ".git/b.md",
        ".trash/c.md",
        ".crucible/d.md",
        ".hidden.md",
        "n.md~",
        "n.md.swp",
        "n.tmp",
        "4913",
    ] {
        vault.write(left_out, "x");
    }
    vault.write("sub/drafts/in.md", "x");
    vault.write("local.md", "x");
    vault.reconcile().await;
    assert_eq!(vault.index.paths(), ["local.md", "sub/drafts/in.md"]);
}

#[tokio::test]
async fn rules_from_outside_the_vault_do_not_count() {
    let vault = TestVault::new();
    std::fs::write(vault.outside(".gitignore"), "*.md\n").unwrap();
    vault.write("a.md", "x");
    vault.reconcile().await;
    assert_eq!(vault.index.paths(), ["a.md"]);
}

#[tokio::test]
async fn index_survives_a_folder_that_is_suddenly_empty_or_gone() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    let folder = vault.folder();
    vault.reconcile().await;
    vault.remove("a.md");
    let error = vault.try_reconcile().await.unwrap_err();
    assert!(
        matches!(error, ReconcileError::FolderEmpty { known: 1, .. }),
        "{error}"
    );
    assert_eq!(vault.index.paths(), ["a.md"]);

    std::fs::remove_dir(vault.root()).unwrap();
    let token = tokio_util::sync::CancellationToken::new();
    let gone = crucible_vault::reconcile(&folder, vault.index.as_ref(), &token).await;
    assert!(
        matches!(gone, Err(ReconcileError::FolderGone { .. })),
        "{gone:?}"
    );
    assert_eq!(vault.index.paths(), ["a.md"]);
}

#[tokio::test]
async fn any_entry_makes_an_empty_folder_believed() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    vault.reconcile().await;
    vault.remove("a.md");
    std::fs::create_dir(vault.root().join(".obsidian")).unwrap();
    vault.reconcile().await;
    assert!(vault.index.paths().is_empty());
}

#[tokio::test]
async fn large_vault_is_handed_over_in_bounded_batches() {
    let vault = TestVault::new();
    for number in 0..1500 {
        vault.write(&format!("{}/{number}.md", number % 7), &number.to_string());
    }
    vault.write("big.md", &"x".repeat(50 * 1024 * 1024));
    vault.write("middle.md", &"x".repeat(5 * 1024 * 1024));
    let report = vault.reconcile().await;
    assert_eq!(report.upserted, 1502);
    assert_eq!(vault.index.faults(), Vec::<String>::new());
    assert_eq!(vault.index.note("big.md").unwrap().len(), 50 * 1024 * 1024);
}

#[tokio::test]
async fn refused_batch_is_an_error_and_the_next_comparison_repeats_it() {
    let vault = TestVault::new();
    vault.write("a.md", "x");
    vault.index.refuse(true);
    let error = vault.try_reconcile().await.unwrap_err();
    assert!(matches!(error, ReconcileError::Index(_)), "{error}");
    vault.index.refuse(false);
    vault.reconcile().await;
    assert_eq!(vault.index.paths(), ["a.md"]);
}

#[tokio::test]
async fn source_reads_notes_and_nothing_outside() {
    let vault = TestVault::new();
    vault.write("a/b.md", "text");
    vault.write(".obsidian/secret.md", "x");
    std::fs::write(vault.outside("out.md"), "x").unwrap();
    let folder = vault.folder();
    assert_eq!(folder.read("a/b.md").await.unwrap(), "text");
    for path in [
        "../out.md",
        "a/../../out.md",
        "/etc/passwd",
        "",
        ".obsidian/secret.md",
        "no.md",
    ] {
        let error = folder.read(path).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{path}: {error}");
    }
    assert!(matches!(
        folder.read("a").await,
        Err(Error::Internal { .. })
    ));
}

#[test]
fn folder_that_cannot_be_a_vault_is_refused_with_the_reason() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file.md");
    std::fs::write(&file, "x").unwrap();
    let open = |path: &std::path::Path| VaultFolder::open(&VaultConfig::new(path)).unwrap_err();
    assert!(matches!(
        open(&place.path().join("no")),
        OpenError::NotFound { .. }
    ));
    assert!(matches!(open(&file), OpenError::NotAFolder { .. }));
    assert!(open(&file).to_string().contains("give the folder"));
}

#[tokio::test]
async fn notes_that_the_rules_leave_out_are_named() {
    let vault = TestVault::new();
    vault.write(".gitignore", "build/\n");
    vault.write("sub/.crucibleignore", "draft*.md\n!draft-kept.md\n");
    vault.write("Home.md", "in");
    vault.write("sub/draft-kept.md", "in");
    vault.write("sub/draft 1.md", "out");
    vault.write("build/deep/readme.md", "out");
    vault.write("build/picture.png", "no note");
    vault.write(".github/template.md", "out");
    vault.write(".git/x.md", "never a note");
    vault.write("a.md.tmp.1.2.md", "out");
    vault.reconcile().await;
    assert!(vault.index.note("sub/draft-kept.md").is_some());
    let folder = VaultFolder::open(&VaultConfig::new(vault.root())).unwrap();
    let (found, total) = left_out(&folder, 100).unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|left| (left.path.as_str(), left.rule))
        .collect();
    assert_eq!(
        told,
        [
            (".github/template.md", LeftOutRule::Hidden),
            ("a.md.tmp.1.2.md", LeftOutRule::Temporary),
            ("build/deep/readme.md", LeftOutRule::Ignored),
            ("sub/draft 1.md", LeftOutRule::Ignored),
        ]
    );
    assert_eq!(total, 4);
    for left in &found {
        assert_eq!(vault.index.note(&left.path), None, "{}", left.path);
    }
    assert_eq!(left_out(&folder, 1).unwrap().0.len(), 1);
}
