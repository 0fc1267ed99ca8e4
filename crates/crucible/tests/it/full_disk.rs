//! A disk that is full while the index is built. Needs the right to mount; skipped without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{DEADLINE, Place, eventually};

/// A small file system in memory; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of some megabytes; `None` without the right to.
    fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m,mode=0755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn full_disk_is_told_and_the_index_completed_once_there_is_room() {
    let mut place = Place::empty();
    let data = place.root().join("small");
    let Some(disk) = SmallDisk::mount(&data, 4) else {
        eprintln!("skipped: a small file system can be mounted by root only");
        return;
    };
    place.set_data(data.clone());
    // Some room is taken by a file that can be given up later.
    let ballast = data.join("ballast");
    fs::write(&ballast, vec![1; 3 * 1024 * 1024]).unwrap();
    for number in 0..400 {
        let words: String = (0..200)
            .map(|word| format!("word{} ", number * 200 + word))
            .collect();
        place.write(
            &format!("{number}.md"),
            format!("# Note {number}\n\n{words}\n"),
        );
    }
    let mut daemon = place.serve_unready(&[]);
    let api = daemon.api();
    let is_full = || daemon.log().contains("trying again");
    eventually("the full disk to be told", || is_full().then_some(()));
    assert!(daemon.is_alive());
    // It answers, and does not pretend to be healthy.
    crate::harness::http::get(api, "/livez");

    fs::remove_file(&ballast).unwrap();
    grow(&data, 64);
    daemon.wait_ready();
    assert_eq!(daemon.get("/api/v1/stats")["notes"], 400);
    daemon.wait_found("word79999", &["399.md"]);
    let log = daemon.log();
    assert!(!log.contains("moved aside"), "{log}");
    daemon.stop();
    let aside = moved_aside(&data);
    assert!(aside.is_empty(), "{aside:?}");
    drop(disk);
}

/// The parts of the index that were taken for damaged, wherever they are below `folder`.
fn moved_aside(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains(".damaged-") {
                found.push(path);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

fn grow(disk: &Path, megabytes: u32) {
    let size = format!("remount,size={megabytes}m");
    let status = Command::new("mount")
        .args(["-o", &size])
        .arg(disk)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn no_room_for_the_index_at_all_is_told_at_the_start() {
    let mut place = Place::with(&[("a.md", "needle")]);
    let data = place.root().join("small");
    let Some(disk) = SmallDisk::mount(&data, 1) else {
        eprintln!("skipped: a small file system can be mounted by root only");
        return;
    };
    fs::write(data.join("ballast"), vec![1; 1024 * 1024 - 4096]).unwrap();
    place.set_data(data);
    let begun = tokio::time::Instant::now();
    let output = place.about(&["search", "needle"]).fails_with(1);
    assert!(
        begun.elapsed() < DEADLINE / 2,
        "it did not give up by itself"
    );
    let said = output.stderr.to_lowercase();
    assert!(said.contains("space") || said.contains("full"), "{said}");
    drop(disk);
}
