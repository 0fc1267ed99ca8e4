//! After any sequence of operations on disk, the index equals the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crucible_services::service_traits::ServiceLifecycle as _;

use crate::recorder::TestVault;

/// A small generator of numbers (xorshift64*, Vigna 2014): the same seed, the same sequence.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(value).unwrap() % bound
    }

    fn folder(&mut self) -> PathBuf {
        let depth = self.below(4);
        (0..depth).map(|_| format!("f{}", self.below(3))).collect()
    }

    fn file(&mut self) -> PathBuf {
        let ends = ["md", "md", "md", "png"];
        let name = format!("n{}.{}", self.below(6), ends[self.below(ends.len())]);
        self.folder().join(name)
    }
}

/// Does one thing to the disk; what is not possible just then is not done.
fn act(root: &Path, outside: &Path, dice: &mut Dice, step: usize) {
    let file = root.join(dice.file());
    let other = root.join(dice.file());
    let folder = root.join(dice.folder());
    let other_folder = root.join(dice.folder());
    let _outcome = match dice.below(12) {
        0..=3 => std::fs::create_dir_all(file.parent().unwrap())
            .and_then(|()| std::fs::write(&file, format!("{step}\n").repeat(dice.below(50)))),
        4 => std::fs::remove_file(&file),
        5 | 6 => std::fs::rename(&file, &other),
        7 if folder != root && other_folder != root => std::fs::rename(&folder, &other_folder),
        8 if folder != root => std::fs::remove_dir_all(&folder),
        9 => {
            let temporary = root.join(".saving");
            std::fs::write(&temporary, format!("saved {step}"))
                .and_then(|()| std::fs::rename(&temporary, &file))
        }
        10 if folder != root => std::fs::rename(&folder, outside.join("out")),
        11 if folder != root => std::fs::rename(outside.join("out"), &folder),
        _ => std::fs::create_dir_all(&folder),
    };
}

async fn check(seed: u64, steps: usize) {
    let vault = TestVault::new();
    vault.write("always.md", "x");
    let outside = vault.outside("outside");
    std::fs::create_dir(&outside).unwrap();
    let service = vault.serve().await;
    let mut dice = Dice(seed);
    for step in 0..steps {
        act(vault.root(), &outside, &mut dice, step);
        // Bursts, pauses around the quiet period, and long enough ones to be settled.
        if dice.below(8) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.below(160) as u64)).await;
        }
    }
    vault.wait_until_equal().await;
    service.stop().await.unwrap();
    // A comparison of everything finds nothing that hints had missed; a file that was written
    // anew with the same bytes may have been on its way.
    let report = vault.reconcile().await;
    assert_eq!((report.moved, report.removed), (0, 0), "seed {seed}");
    assert_eq!(vault.index.files(), vault.on_disk(), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn index_equals_the_disk_after_random_operations() {
    for seed in 1..=10 {
        check(seed * 7919, 150).await;
    }
}
