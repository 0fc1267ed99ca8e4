//! Killed at any moment, the index is whole at the next open and equals a fresh one when the
//! vault has told what it lacks.
//!
//! The process that is killed is this test program, started again with a folder to work in.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crucible_services::note_index::{ChangeBatch, ChangeOrigin, NoteIndex as _};

use crate::bench::{Bench, MemoryVault, open};

/// Names the folder of the index to the process that will be killed.
const FOLDER_VARIABLE: &str = "CRUCIBLE_STORE_CRASH_FOLDER";
// Quoted: a last word is also the beginning of longer ones, and which of them are tried depends on
// how often they stand in the index, deleted notes included.
const WORDS: &[&str] = &["\"word1\"", "\"word7\"", "\"round3\"", "\"title5\""];
const NOTES: usize = 60;
const ROUNDS: usize = 4;
const KILLS: u64 = 12;

/// Writes every note of a round; each run of a process works on a vault that grows the same way.
fn round(vault: &MemoryVault, round: usize) -> Vec<crucible_services::note_index::FileChange> {
    let mut changes = Vec::new();
    for number in 0..NOTES {
        let path = format!("f{}/n{number}.md", number % 5);
        if round % 2 == 1 && number % 7 == 3 && vault.get(&path).is_some() {
            changes.push(vault.remove(&path));
            continue;
        }
        let text = format!(
            "---\naliases: [title{number}]\n---\n# Note {number}\n\nword{} round{round} \
             [[n{}]] [[title{}]] #t{}\n\n{}",
            number % 10,
            (number + 1) % NOTES,
            (number + 5) % NOTES,
            number % 4,
            "filler text that makes a block of its own. ".repeat(number)
        );
        changes.push(vault.write(&path, text));
    }
    changes
}

/// The process that is killed: applies round after round until it is.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let vault = Arc::new(MemoryVault::default());
        let store = open(folder.into(), &vault).await;
        for number in 0.. {
            let origin = match number {
                0 => ChangeOrigin::FirstIndex,
                _ => ChangeOrigin::Change,
            };
            let changes = round(&vault, number % ROUNDS);
            for part in changes.chunks(7) {
                let changes = part.to_vec();
                store
                    .apply(ChangeBatch {
                        changes,
                        origin,
                        cause: None,
                    })
                    .await
                    .unwrap();
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_killed_equals_a_fresh_one() {
    let bench = Bench::new().await;
    bench.close().await;
    let index_dir = bench.place.path().join("killed");
    let mut caught = 0;
    let mut last_known = HashMap::new();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashing::the_process_that_is_killed"])
            .env(FOLDER_VARIABLE, &index_dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Moments from "just started" to "in the middle of later rounds".
        tokio::time::sleep(Duration::from_millis(30 + kill * kill * 9)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        // The vault as it is when the daemon comes back: some round, whole.
        let vault = Arc::new(MemoryVault::default());
        for number in 0..=usize::try_from(kill).unwrap() % ROUNDS {
            round(&vault, number);
        }
        let store = open(index_dir.clone(), &vault).await;
        assert_eq!(store.recovered(), Vec::<String>::new(), "kill {kill}");
        let mut bench = Bench {
            place: tempfile::tempdir().unwrap(),
            vault,
            store,
        };
        let known = bench.store.known_files().await.unwrap();
        caught += usize::from(known != last_known);
        bench.reconcile().await;
        last_known = bench.store.known_files().await.unwrap();
        assert_eq!(
            bench.content(WORDS).await,
            bench.fresh_content(WORDS).await,
            "kill {kill}"
        );
        bench.close().await;
        // The next process begins with a vault of its own, so that much changes again.
        bench.store = open(index_dir.clone(), &bench.vault).await;
        assert_eq!(bench.reconcile().await.parsed, 0, "kill {kill}");
        bench.close().await;
    }
    assert!(caught > 3, "only {caught} processes had written anything");
}
