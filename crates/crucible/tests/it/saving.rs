//! How editors and people change a vault: saving, renaming, replacing while it is read.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::sse::{is_about, name};
use crate::harness::{Place, eventually};

/// Saves as Vim does with `backupcopy=no`: the old file becomes the backup, a new file is
/// written, the backup goes.
fn save_like_vim(file: &Path, text: &str) {
    let backup = file.with_extension("md~");
    fs::rename(file, &backup).unwrap();
    fs::write(file, text).unwrap();
    fs::remove_file(backup).unwrap();
}

/// Saves as most others do: a draft beside the file takes its place.
fn save_by_rename(file: &Path, text: &str) {
    let draft = file.with_file_name(".draft.tmp");
    fs::write(&draft, text).unwrap();
    fs::rename(draft, file).unwrap();
}

#[test]
fn atomic_saves_are_one_modification_each() {
    let place = Place::with(&[("a.md", "zero")]);
    let mut daemon = place.serve();
    let events = daemon.events();
    let file = place.vault().join("a.md");
    save_like_vim(&file, "like vim");
    daemon.wait_found("vim", &["a.md"]);
    save_by_rename(&file, "by rename");
    daemon.wait_found("rename", &["a.md"]);
    place.write("last.md", "x");
    let seen = events.until("last.md", |event| {
        name(event) == "database.record_created" && is_about(event, "last.md")
    });
    let told: Vec<String> = seen
        .iter()
        .filter(|event| name(event).starts_with("filesystem.") && !is_about(event, "last.md"))
        .map(name)
        .collect();
    assert_eq!(told, ["filesystem.file_modified"; 2], "{seen:?}");
    assert!(daemon.problems().is_empty());
    daemon.stop();
}

#[test]
fn renamed_folder_moves_its_notes() {
    let place = Place::with(&[("keep.md", "[[inner]]")]);
    for number in 0..50 {
        place.write(
            &format!("old/deep/{number}.md"),
            format!("needle number{number}"),
        );
    }
    place.write("old/inner.md", "innermost words");
    let mut daemon = place.serve();
    let events = daemon.events();
    fs::rename(place.vault().join("old"), place.vault().join("new")).unwrap();
    daemon.wait_found("innermost", &["new/inner.md"]);
    daemon.wait_found("number7", &["new/deep/7.md"]);
    let in_folder = |daemon: &mut crate::harness::Daemon, folder: &str| -> Value {
        daemon.get(&format!("/api/v1/notes?folder={folder}"))["total"].clone()
    };
    eventually("all notes to have moved", || {
        (in_folder(&mut daemon, "new") == 51 && in_folder(&mut daemon, "old") == 0).then_some(())
    });
    place.write("last.md", "x");
    let seen = events.until("last.md", |event| {
        name(event) == "database.record_created" && is_about(event, "last.md")
    });
    let moved = seen
        .iter()
        .filter(|event| name(event) == "filesystem.file_moved")
        .count();
    let others = seen.iter().filter(|event| {
        ["filesystem.file_created", "filesystem.file_deleted"].contains(&name(event).as_str())
            && !is_about(event, "last.md")
    });
    assert_eq!((moved, others.count()), (51, 0));
    let links = place.json(&["links", "keep"]);
    assert_eq!(links["outgoing"][0]["resolved"], "new/inner.md");
    daemon.stop();
}

#[test]
fn note_replaced_and_deleted_while_it_is_read_stops_nothing() {
    let place = Place::with(&[("other.md", "x")]);
    let mut daemon = place.serve();
    let file = place.vault().join("restless.md");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0_u32;
            while !is_over.load(Ordering::Relaxed) {
                round += 1;
                let text = format!("round {round}\n").repeat(2_000);
                save_by_rename(&file, &text);
                if round.is_multiple_of(3) {
                    fs::remove_file(&file).unwrap();
                }
            }
        });
        for number in 0..20 {
            let path = format!("calm-{number}.md");
            place.write(&path, format!("calm needle{number}"));
            daemon.wait_found(&format!("needle{number}"), &[&path]);
            // A note that is gone at this moment is told as such, and never as half a note.
            let note = place.about(&["note", "restless.md"]);
            assert!(matches!(note.code, Some(0 | 1 | 3)), "{note:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    fs::write(&file, "at rest").unwrap();
    daemon.wait_found("rest", &["restless.md"]);
    assert!(daemon.problems().is_empty());
    daemon.stop();
}
