//! Killed at any moment, the vault has every acknowledged change, and no half one.
//!
//! The process that is killed is this test program, started again with a folder to work in. It
//! says what it was told is done; what it says is checked against the folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crucible_services::note_writer::NoteWriter as _;
use crucible_vault::WriterConfig;

use super::{Bench, append};

/// Names the folder to the process that will be killed.
const FOLDER_VARIABLE: &str = "CRUCIBLE_VAULT_CRASH_FOLDER";
const KILLS: u64 = 30;
const LINKING: usize = 6;

/// The process that is killed: edits a note, and moves another, with links, to and fro.
#[test]
fn the_process_that_is_killed() {
    let Some(place) = std::env::var_os(FOLDER_VARIABLE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bench = Bench::open(Path::new(&place), WriterConfig::default())
            .await
            .unwrap();
        let mut out = std::io::stdout();
        for number in 0..100_000 {
            let line = format!("{} {number} {}", std::process::id(), "x".repeat(3000));
            let written = bench.edit("log.md", append(&line)).await.unwrap();
            writeln!(out, "ack log.md {}", written.hash.unwrap()).unwrap();
            let (from, to) = match bench.at("one.md").exists() {
                true => ("one.md", "two.md"),
                false => ("two.md", "one.md"),
            };
            let written = bench.rename(from, to).await.unwrap();
            writeln!(out, "ack {to} {}", written.hash.unwrap()).unwrap();
        }
    });
}

/// Starts the process, kills it after a while, and returns the last thing it was told is done.
fn run_and_kill(place: &Path, after: Duration) -> Vec<(String, String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "writing::crashing::the_process_that_is_killed",
        ])
        .env(FOLDER_VARIABLE, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.starts_with("ack"));
    assert!(ready.is_some(), "the process wrote nothing");
    std::thread::sleep(after);
    child.kill().unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    child.wait().unwrap();
    ready
        .into_iter()
        .chain(rest)
        .filter_map(|line| {
            let mut words = line.strip_prefix("ack ")?.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_outlive_a_kill_and_no_change_is_half() {
    let temporary = tempfile::tempdir().unwrap();
    let place = temporary.path().canonicalize().unwrap();
    let vault = place.join("vault");
    std::fs::create_dir(&vault).unwrap();
    std::fs::write(vault.join("log.md"), "begin\n").unwrap();
    std::fs::write(vault.join("one.md"), "[[one]] myself\n").unwrap();
    for number in 0..LINKING {
        std::fs::write(vault.join(format!("l{number}.md")), "to [[one]] and back\n").unwrap();
    }
    for kill in 0..KILLS {
        let acknowledged = run_and_kill(&place, Duration::from_millis(kill * 7 % 131));
        let bench = Bench::open(&place, WriterConfig::default()).await.unwrap();
        check_whole(&bench, kill);
        check_history(&bench, &acknowledged, kill).await;
        bench.check_index().await;
        bench
            .tasks
            .shutdown(crate::recorder::DEADLINE)
            .await
            .unwrap();
        bench.index.store.close().await;
    }
}

/// All links have one name, that of the one file there is; nothing is left over.
fn check_whole(bench: &Bench, kill: u64) {
    let name = if bench.at("one.md").exists() {
        "one"
    } else {
        "two"
    };
    let mut expected: Vec<String> = (0..LINKING).map(|number| format!("l{number}.md")).collect();
    expected.extend(["log.md".to_owned(), format!("{name}.md")]);
    assert_eq!(bench.all_names(), expected, "kill {kill}");
    assert_eq!(
        bench.text(&format!("{name}.md")).unwrap(),
        format!("[[{name}]] myself\n")
    );
    for number in 0..LINKING {
        let text = bench.text(&format!("l{number}.md")).unwrap();
        assert_eq!(text, format!("to [[{name}]] and back\n"), "kill {kill}");
    }
    let log = bench.text("log.md").unwrap();
    assert!(log.ends_with('\n') && log.starts_with("begin\n"));
    assert!(
        log.lines()
            .skip(1)
            .all(|line| line.ends_with(&"x".repeat(3000)))
    );
}

/// Every acknowledged change is in the history with its content, and at most one more; the newest
/// can be undone.
async fn check_history(bench: &Bench, acknowledged: &[(String, String)], kill: u64) {
    let changes = bench.writer.history(None, usize::MAX).await.unwrap();
    let made: Vec<(String, String)> = changes
        .iter()
        .rev()
        .map(|change| (change.path.clone(), change.after.clone().unwrap()))
        .collect();
    let last = acknowledged.last().unwrap();
    let at = made.iter().rposition(|change| change == last);
    let at = at.unwrap_or_else(|| panic!("kill {kill}: {last:?} is not in the history"));
    assert!(
        made.len() - at <= 2,
        "kill {kill}: {} changes more",
        made.len() - at - 1
    );
    for change in acknowledged {
        assert!(
            made.contains(change),
            "kill {kill}: {change:?} is not in the history"
        );
    }
    let newest = &changes[0];
    assert_eq!(bench.hash(&newest.path), newest.after.clone().unwrap());
    bench.undo(None).await.unwrap();
    let at = newest.from.as_ref().unwrap_or(&newest.path);
    assert_eq!(bench.hash(at), newest.before.clone().unwrap());
    let redo = bench.writer.history(None, 1).await.unwrap()[0].id.clone();
    bench.undo(Some(&redo)).await.unwrap();
    assert_eq!(bench.hash(&newest.path), newest.after.clone().unwrap());
}
