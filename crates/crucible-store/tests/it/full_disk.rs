//! A full disk refuses changes, keeps answers, and is forgotten when there is space again.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crucible_services::note_index::{ChangeBatch, ChangeOrigin, NoteIndex as _};

use crate::bench::{MemoryVault, found, open, until};

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
        store.apply(ChangeBatch { changes, origin }).await
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
}
