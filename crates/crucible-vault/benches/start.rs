//! What does the start on an unchanged vault cost, against a plain walk that stats every file?
//!
//! Prints `ratio unchanged_start VALUE peer=stat-walk`: medians of interleaved runs over one
//! generated vault of 10,000 notes. The index is an in-memory map, so that only the vault counts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::data_store::Error;
use crucible_services::note_index::{Applied, ChangeBatch, FileChange, FileStamp, NoteIndex};
use crucible_vault::{VaultConfig, VaultFolder, reconcile};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const FOLDERS: usize = 400;
const NOTES_PER_FOLDER: usize = 25;
const ROUNDS: usize = 31;

#[derive(Default)]
struct MapIndex {
    files: Mutex<HashMap<String, FileStamp>>,
}

#[async_trait]
impl NoteIndex for MapIndex {
    async fn known_files(&self) -> Result<HashMap<String, FileStamp>, Error> {
        Ok(self
            .files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }

    async fn apply(&self, batch: ChangeBatch) -> Result<Applied, Error> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for change in batch.changes {
            if let FileChange::Upsert { path, stamp, .. } = change {
                files.insert(path, stamp);
            }
        }
        Ok(Applied::default())
    }

    async fn settle(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    generate(place.path())?;
    let folder = VaultFolder::open(&VaultConfig::new(place.path()))?;
    let index = MapIndex::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let token = CancellationToken::new();
    let began = Instant::now();
    let first = runtime.block_on(reconcile(&folder, &index, &token))?;
    println!(
        "first reconcile: {} notes in {:?}",
        first.notes,
        began.elapsed()
    );

    let mut ours = Vec::with_capacity(ROUNDS);
    let mut peers = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let bytes = stat_walk(folder.root())?;
        peers.push(began.elapsed());
        std::hint::black_box(bytes);

        let began = Instant::now();
        let report = runtime.block_on(reconcile(&folder, &index, &token))?;
        ours.push(began.elapsed());
        assert_eq!(
            report.unchanged, report.files,
            "an unchanged vault is not read"
        );
    }
    let (ours, peer) = (median(&mut ours), median(&mut peers));
    println!("unchanged start: {ours:?}, stat walk: {peer:?}");
    println!(
        "ratio unchanged_start {:.2} peer=stat-walk",
        ours.as_secs_f64() / peer.as_secs_f64()
    );
    Ok(())
}

fn generate(root: &Path) -> std::io::Result<()> {
    for folder in 0..FOLDERS {
        let folder = root
            .join(format!("area {}", folder % 20))
            .join(format!("topic {folder}"));
        std::fs::create_dir_all(&folder)?;
        for note in 0..NOTES_PER_FOLDER {
            let text = format!("# Note {note}\n\nSome words about [[Note {}]].\n", note + 1);
            std::fs::write(folder.join(format!("Note {note}.md")), text)?;
        }
    }
    Ok(())
}

fn stat_walk(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            stat_walk(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
