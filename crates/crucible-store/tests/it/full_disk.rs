//! A full disk refuses changes, keeps answers, and is forgotten when there is space again.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crucible_services::health::HealthStatus;
use crucible_services::note_index::{ChangeBatch, ChangeOrigin, FileChange, NoteIndex as _};
use crucible_services::service_traits::ServiceLifecycle as _;
use crucible_store::Store;

use crate::bench::{MemoryVault, found, open, until};
use crate::serving::serve;

/// A file system of 24 MiB in memory, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(place.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(place)),
            _ => None,
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn fill(disk: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(disk.join("filler")).unwrap();
    for bytes in [1 << 20, 1 << 12, 1 << 8] {
        while file.write_all(&vec![0; bytes]).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_no_note() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: mounting a small file system needs root");
        return;
    };
    let vault = Arc::new(MemoryVault::default());
    let store = open(disk.path().join("index"), &vault).await;
    let apply = async |changes| {
        let origin = ChangeOrigin::Change;
        store
            .apply(ChangeBatch {
                changes,
                origin,
                cause: None,
            })
            .await
    };
    apply(vec![vault.write("a.md", "apples")]).await.unwrap();
    store.settle().await.unwrap();
    fill(disk.path());

    // Sooner or later the log of changes must grow, and cannot.
    let mut refused = None;
    for number in 0..400 {
        let text = format!("bananas {number} {}", "filler ".repeat(2000));
        let change = vault.write(&format!("{number}.md"), text);
        if let Err(error) = apply(vec![change]).await {
            refused = Some(error.to_string());
            break;
        }
    }
    let refused = refused.expect("a full disk refuses at some point");
    assert!(refused.contains("disk is full"), "{refused}");
    assert_eq!(found(&store, "apples").await, ["a.md"]);

    std::fs::remove_file(disk.path().join("filler")).unwrap();
    let known = store.known_files().await.unwrap();
    apply(vault.differences(&known)).await.unwrap();
    until("the text index has recovered", async || {
        store.settle().await.is_ok()
    })
    .await;
    assert_eq!(
        found(&store, "bananas").await.len(),
        (vault.paths().len() - 1).min(100)
    );
    store.close().await;
    assert_nothing_was_moved_aside(&disk.path().join("index"), &vault).await;
}

/// A store whose facts have room and whose text index stands on `disk`.
async fn open_with_text_on(disk: &Path, index: &Path, vault: &Arc<MemoryVault>) -> Store {
    let store = open(index.to_owned(), vault).await;
    let apples = vault.write("a.md", "apples");
    apply(&store, apples).await.unwrap();
    store.settle().await.unwrap();
    store.close().await;
    let (text, moved) = (index.join("text"), disk.join("text"));
    std::fs::create_dir(&moved).unwrap();
    for entry in std::fs::read_dir(&text).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), moved.join(entry.file_name())).unwrap();
    }
    std::fs::remove_dir_all(&text).unwrap();
    std::os::unix::fs::symlink(&moved, &text).unwrap();
    open(index.to_owned(), vault).await
}

async fn apply(store: &Store, change: FileChange) -> Result<(), String> {
    let batch = ChangeBatch {
        cause: None,
        changes: vec![change],
        origin: ChangeOrigin::Change,
    };
    let applied = store.apply(batch).await;
    applied.map(|_| ()).map_err(|error| error.to_string())
}

/// Neither while the store was open nor when it opens again.
async fn assert_nothing_was_moved_aside(index: &Path, vault: &Arc<MemoryVault>) {
    let entries = std::fs::read_dir(index).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let aside: Vec<_> = names.filter(|name| name.contains(".damaged-")).collect();
    assert_eq!(aside, [""; 0]);
    let store = open(index.to_owned(), vault).await;
    assert_eq!(store.recovered(), [""; 0]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_index_without_room_is_kept_and_goes_on_by_itself() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: mounting a small file system needs root");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let index = place.path().join("index");
    let vault = Arc::new(MemoryVault::default());
    let store = open_with_text_on(disk.path(), &index, &vault).await;
    let serving = serve(&store).await;
    fill(disk.path());
    // Batch after batch, so that it fails while documents are added as well as at a commit.
    for number in 0..200 {
        let words: String = (0..2000).map(|word| format!("w{number}x{word} ")).collect();
        let change = vault.write(&format!("{number}.md"), format!("bananas {words}"));
        apply(&store, change).await.unwrap();
        if number % 40 == 0 {
            let error = store.settle().await.unwrap_err().to_string();
            assert!(error.contains("the disk is full"), "{error}");
        }
    }
    let health = serving.service.health_check().await.unwrap();
    let reason = health.message.unwrap_or_default();
    assert_eq!(health.status, HealthStatus::Degraded, "{reason}");
    assert!(reason.contains("free space"), "{reason}");
    assert_eq!(found(&store, "apples").await, ["a.md"]);

    std::fs::remove_file(disk.path().join("filler")).unwrap();
    until("the text index has recovered", async || {
        store.settle().await.is_ok()
    })
    .await;
    assert_eq!(found(&store, "bananas").await.len(), 100);
    assert_eq!(found(&store, "w199x1999").await, ["199.md"]);
    let health = serving.service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy);
    serving.stop().await;
    store.close().await;
    assert_nothing_was_moved_aside(&index, &vault).await;
}
