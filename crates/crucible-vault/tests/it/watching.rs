//! What happens on disk while the vault is watched.

use crucible_services::service_traits::ServiceLifecycle as _;

use crate::recorder::{TestVault, until};

#[tokio::test(flavor = "multi_thread")]
async fn created_edited_and_deleted_notes_are_told_once_each() {
    let vault = TestVault::patient();
    vault.write("there.md", "x");
    let service = vault.serve().await;
    vault.index.take_log();
    vault.write("new.md", "one");
    until("the note is known", || vault.index.note("new.md").is_some()).await;
    vault.write("new.md", "one two");
    until("the edit is known", || {
        vault.index.note("new.md").as_deref() == Some("one two")
    })
    .await;
    vault.remove("new.md");
    until("the deletion is known", || {
        vault.index.note("new.md").is_none()
    })
    .await;
    assert_eq!(vault.index.log(), ["+new.md", "+new.md", "-new.md"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn atomic_saves_are_one_edit() {
    let vault = TestVault::patient();
    vault.write("note.md", "old");
    let service = vault.serve().await;
    vault.index.take_log();

    // Write beside, rename over.
    vault.write(".note.md.x", "second");
    vault.rename(".note.md.x", "note.md");
    until("the save is known", || {
        vault.index.note("note.md").as_deref() == Some("second")
    })
    .await;

    // Move away as a backup, write anew, drop the backup.
    vault.rename("note.md", "note.md~");
    vault.write("note.md", "third one");
    vault.remove("note.md~");
    until("the save is known", || {
        vault.index.note("note.md").as_deref() == Some("third one")
    })
    .await;

    // Delete, a moment without, write anew.
    vault.remove("note.md");
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    vault.write("note.md", "fourth time");
    until("the save is known", || {
        vault.index.note("note.md").as_deref() == Some("fourth time")
    })
    .await;
    assert_eq!(vault.index.log(), ["+note.md", "+note.md", "+note.md"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn renamed_file_and_folder_are_moves() {
    let vault = TestVault::patient();
    vault.write("a.md", "a");
    vault.write("folder/sub/b.md", "b");
    vault.write("folder/c.png", "c");
    let service = vault.serve().await;
    vault.index.take_log();
    let read = vault.index.notes_read();
    vault.rename("a.md", "A renamed.md");
    vault.rename("folder", "moved");
    vault.wait_until_equal().await;
    let mut log = vault.index.take_log();
    log.sort();
    let expected = [
        "a.md->A renamed.md",
        "folder/c.png->moved/c.png",
        "folder/sub/b.md->moved/sub/b.md",
    ];
    assert_eq!(log, expected);
    assert_eq!(vault.index.notes_read(), read);

    // The new folder is watched, down to the bottom.
    vault.write("moved/sub/b.md", "edited");
    vault.wait_until_equal().await;
    assert_eq!(vault.index.take_log(), ["+moved/sub/b.md"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn move_into_a_folder_that_is_looked_at_first_is_a_move() {
    let vault = TestVault::patient();
    vault.write("a.md", "a");
    let service = vault.serve().await;
    vault.index.take_log();
    std::fs::create_dir(vault.root().join("sub")).unwrap();
    // The folder rests before the old name does.
    tokio::time::sleep(vault.config.quiet_period / 2).await;
    vault.rename("a.md", "sub/a.md");
    vault.wait_until_equal().await;
    assert_eq!(vault.index.take_log(), ["a.md->sub/a.md"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_name_that_is_looked_at_first_waits_for_the_new_one() {
    let vault = TestVault::patient();
    vault.write("old/a.md", "a");
    let service = vault.serve().await;
    vault.index.take_log();
    std::fs::rename(vault.root().join("old"), vault.outside("on its way")).unwrap();
    tokio::time::sleep(vault.config.quiet_period / 2).await;
    std::fs::rename(vault.outside("on its way"), vault.root().join("new")).unwrap();
    vault.wait_until_equal().await;
    assert_eq!(vault.index.take_log(), ["old/a.md->new/a.md"]);
    service.stop().await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_copies_and_swaps_are_not_moves() {
    let vault = TestVault::patient();
    vault.write("a.md", "a");
    vault.write("b.md", "bb");
    let service = vault.serve().await;
    vault.index.take_log();
    let at = |path: &str| vault.root().join(path);
    std::fs::hard_link(at("a.md"), at("linked.md")).unwrap();
    std::fs::copy(at("a.md"), at("copied.md")).unwrap();
    vault.wait_until_equal().await;
    let mut log = vault.index.take_log();
    log.sort();
    assert_eq!(log, ["+copied.md", "+linked.md"]);
    vault.rename("a.md", ".swap");
    vault.rename("b.md", "a.md");
    vault.rename(".swap", "b.md");
    vault.wait_until_equal().await;
    let mut log = vault.index.take_log();
    log.sort();
    assert_eq!(log, ["+a.md", "+b.md"]);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_moved_out_is_removed_and_moved_in_is_indexed() {
    let vault = TestVault::new();
    vault.write("folder/a.md", "a");
    vault.write("stays.md", "x");
    let service = vault.serve().await;
    std::fs::rename(vault.root().join("folder"), vault.outside("folder")).unwrap();
    vault.wait_until_equal().await;
    assert_eq!(vault.index.paths(), ["stays.md"]);
    std::fs::create_dir_all(vault.outside("folder/x/y")).unwrap();
    std::fs::write(vault.outside("folder/x/y/b.md"), "b").unwrap();
    std::fs::rename(vault.outside("folder"), vault.root().join("back")).unwrap();
    vault.wait_until_equal().await;
    vault.write("back/x/y/b.md", "edited");
    vault.wait_until_equal().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn burst_of_20_000_files_is_taken_whole() {
    let vault = TestVault::new();
    let service = vault.serve().await;
    let root = vault.root().to_path_buf();
    let writing = tokio::task::spawn_blocking(move || {
        for number in 0..20_000 {
            let folder = root.join(format!("{}/{}", number % 10, number % 100));
            if number < 100 {
                std::fs::create_dir_all(&folder).unwrap();
            }
            std::fs::write(folder.join(format!("{number}.md")), number.to_string()).unwrap();
        }
    });
    writing.await.unwrap();
    until("all notes are known", || {
        vault.index.paths().len() == 20_000
    })
    .await;
    vault.wait_until_equal().await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn edited_ignore_file_takes_notes_out_and_in() {
    let vault = TestVault::new();
    vault.write("a.md", "a");
    vault.write("private/b.md", "b");
    let service = vault.serve().await;
    assert_eq!(vault.index.paths(), ["a.md", "private/b.md"]);
    vault.write(".crucibleignore", "private/\n");
    until("it is out", || vault.index.paths() == ["a.md"]).await;
    vault.write("private/c.md", "c");
    vault.write("d.md", "d");
    until("the rest goes on", || {
        vault.index.paths() == ["a.md", "d.md"]
    })
    .await;
    vault.remove(".crucibleignore");
    until("it is in again", || {
        vault.index.paths() == ["a.md", "d.md", "private/b.md", "private/c.md"]
    })
    .await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn last_note_deleted_while_watched_is_removed() {
    let vault = TestVault::new();
    vault.write("a.md", "a");
    let service = vault.serve().await;
    vault.remove("a.md");
    until("it is gone", || vault.index.paths().is_empty()).await;
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_keeps_growing_ends_whole() {
    use std::io::Write as _;
    let vault = TestVault::new();
    let service = vault.serve().await;
    let mut file = std::fs::File::create(vault.root().join("log.md")).unwrap();
    for _ in 0..100 {
        file.write_all(b"another line\n").unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    drop(file);
    vault.wait_until_equal().await;
    service.stop().await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn folder_replaced_by_a_link_out_is_not_followed() {
    let vault = TestVault::new();
    vault.write("folder/a.md", "inside");
    let service = vault.serve().await;
    std::fs::create_dir(vault.outside("out")).unwrap();
    std::fs::write(vault.outside("out/a.md"), "outside").unwrap();
    std::fs::rename(vault.root().join("folder"), vault.outside("old")).unwrap();
    std::os::unix::fs::symlink(vault.outside("out"), vault.root().join("folder")).unwrap();
    until("the link is named", || {
        vault.index.problem("folder").is_some()
    })
    .await;
    until("the note is gone", || vault.index.paths() == ["folder"]).await;
    service.stop().await.unwrap();
}
