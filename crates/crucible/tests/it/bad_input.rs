//! Files that no vault should hold. Each is there at the first start in one run, and appears in a
//! served vault in another; both times the rest goes on, and what was skipped is said.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{Daemon, Place, eventually};

/// A file that is wrong, as `doctor` names it: its path and the kind of its fault.
type Fault<'a> = (&'a str, &'a str);

/// Checks that `spoil` leads to these faults and to no others, that `doctor` tells each with a
/// cause, and that good notes are indexed beside and after it. `look` then looks closer.
#[track_caller]
fn check(spoil: impl Fn(&Place), faults: &[Fault<'_>], look: impl Fn(&Place, &mut Daemon)) {
    for is_served_before in [false, true] {
        let place = Place::with(&[("good.md", "goodnote")]);
        let mut daemon = if is_served_before {
            let daemon = place.serve();
            spoil(&place);
            daemon
        } else {
            spoil(&place);
            place.serve()
        };
        let expected: Vec<(String, String)> = faults
            .iter()
            .map(|&(path, kind)| (path.to_owned(), kind.to_owned()))
            .collect();
        let mut seen = Vec::new();
        eventually_or(&mut daemon, |daemon| {
            seen = daemon.problems();
            seen == expected
        });
        assert_eq!(
            seen,
            expected,
            "served before: {is_served_before}\n{}",
            daemon.log()
        );
        place.write("later.md", "laternote");
        daemon.wait_found("goodnote", &["good.md"]);
        daemon.wait_found("laternote", &["later.md"]);
        look(&place, &mut daemon);
        assert!(daemon.is_alive());
        assert!(!daemon.log().contains("panic"), "{}", daemon.log());
        daemon.stop();
        check_doctor(&place, faults);
    }
}

/// Without a daemon `doctor` names the same faults, with a cause each.
#[track_caller]
fn check_doctor(place: &Place, faults: &[Fault<'_>]) {
    let code = if faults.is_empty() { 0 } else { 5 };
    let report = place.about(&["doctor", "--json"]).fails_with(code).json();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), faults.len(), "{report:#}");
    for (problem, (path, kind)) in problems.iter().zip(faults) {
        assert_eq!(
            (problem["path"].as_str(), problem["kind"].as_str()),
            (Some(*path), Some(*kind))
        );
        assert!(problem["message"].as_str().unwrap().len() > 10, "{problem}");
    }
    let text = place.about(&["doctor"]).fails_with(code).stdout;
    for (path, _) in faults {
        let shown = path.replace(char::is_control, " ");
        assert!(text.contains(&shown), "{shown} is not in:\n{text}");
    }
}

/// Waits until `is_so`, and lets the caller say what was seen instead when it never is.
fn eventually_or(daemon: &mut Daemon, mut is_so: impl FnMut(&mut Daemon) -> bool) {
    let begun = tokio::time::Instant::now();
    while !is_so(daemon) && begun.elapsed() < crate::harness::DEADLINE {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn nothing(_: &Place, _: &mut Daemon) {}

#[test]
fn malformed_frontmatter_is_shown_and_the_note_found_all_the_same() {
    check(
        |place| {
            drop(place.write(
                "bad.md",
                "---\ntitle: [unclosed\ntags: - x\n---\n\nneedle\n",
            ))
        },
        &[("bad.md", "frontmatter")],
        |place, daemon| {
            daemon.wait_found("needle", &["bad.md"]);
            assert_eq!(place.search("needle"), ["bad.md"]);
        },
    );
}

#[test]
fn invalid_utf8_is_replaced_and_shown() {
    check(
        |place| drop(place.write("bad.md", b"needle caf\xe9 and more words\n")),
        &[("bad.md", "invalid_utf8")],
        |_, daemon| daemon.wait_found("needle", &["bad.md"]),
    );
}

#[test]
fn nul_bytes_in_text_do_no_harm() {
    let text = format!(
        "before\0needle\0after {}\n",
        "and ordinary words ".repeat(20)
    );
    check(
        |place| drop(place.write("nul.md", &text)),
        &[],
        |place, daemon| {
            daemon.wait_found("ordinary", &["nul.md"]);
            place.about(&["note", "nul.md"]).succeeds();
        },
    );
}

#[test]
fn binary_named_like_a_note_is_skipped() {
    let noise: Vec<u8> = (0..20_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let picture = [&b"\x89PNG\r\n\x1a\n"[..], &noise].concat();
    check(
        |place| {
            place.write("noise.md", &noise);
            place.write("picture.md", &picture);
            place.write("zeros.md", vec![0; 10_000]);
        },
        &[
            ("noise.md", "binary"),
            ("picture.md", "binary"),
            ("zeros.md", "binary"),
        ],
        nothing,
    );
}

#[test]
fn links_that_loop_or_leave_the_vault_are_not_followed() {
    check(
        |place| {
            let (vault, outside) = (place.vault(), place.root().join("outside"));
            fs::create_dir_all(outside.join("notes")).unwrap();
            fs::write(outside.join("secret.md"), "secretword").unwrap();
            fs::write(outside.join("notes/inner.md"), "secretword").unwrap();
            fs::create_dir(vault.join("sub")).unwrap();
            symlink(&vault, vault.join("sub/loop")).unwrap();
            symlink(outside.join("secret.md"), vault.join("out.md")).unwrap();
            symlink(outside.join("notes"), vault.join("outer")).unwrap();
            symlink("self.md", vault.join("self.md")).unwrap();
        },
        &[
            ("out.md", "link"),
            ("outer", "link"),
            ("self.md", "link"),
            ("sub/loop", "link"),
        ],
        |place, daemon| {
            daemon.wait_found("secretword", &[]);
            let asked = place.about(&["note", "out.md"]).fails_with(3).stderr;
            assert!(asked.contains("leads out of the vault"), "{asked}");
            place.about(&["note", "../outside/secret.md"]).fails_with(3);
        },
    );
}

#[test]
fn what_cannot_be_read_is_skipped() {
    // Root may read every file, so a pipe and a socket stand in: they are as unreadable to it.
    check(
        |place| {
            let vault = place.vault();
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mkfifoat(rustix::fs::CWD, vault.join("pipe.md"), mode).unwrap();
            std::os::unix::net::UnixListener::bind(vault.join("socket.md")).unwrap();
        },
        &[("pipe.md", "not_regular"), ("socket.md", "not_regular")],
        |place, _| {
            let asked = place.about(&["note", "pipe.md"]).fails_with(3).stderr;
            assert!(asked.contains("not a regular file"), "{asked}");
        },
    );
}

#[test]
fn file_and_folder_without_permission_are_skipped() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may read every file");
        return;
    }
    check(
        |place| {
            let file = place.write("locked.md", "hidden");
            place.write("closed/inner.md", "hidden");
            fs::set_permissions(file, fs::Permissions::from_mode(0o0)).unwrap();
            let folder = place.vault().join("closed");
            fs::set_permissions(folder, fs::Permissions::from_mode(0o0)).unwrap();
        },
        &[("closed", "unreadable"), ("locked.md", "unreadable")],
        |place, _| {
            let folder = place.vault().join("closed");
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o0)).unwrap();
        },
    );
}

#[test]
fn folders_200_deep_are_indexed() {
    let path = format!("{}note.md", "d/".repeat(200));
    check(
        |place| drop(place.write(&path, "needle")),
        &[],
        |place, daemon| {
            daemon.wait_found("needle", &[&path]);
            assert_eq!(place.about(&["note", &path]).succeeds().stdout, "needle\n");
        },
    );
}

#[test]
fn duplicate_names_are_kept_apart_by_their_paths() {
    check(
        |place| {
            place.write("a/Same.md", "needle one");
            place.write("b/Same.md", "needle two");
            place.write("b/from.md", "[[Same]]");
        },
        &[],
        |place, daemon| {
            daemon.wait_found("needle", &["a/Same.md", "b/Same.md"]);
            place.about(&["note", "Same"]).fails_with(3);
            assert_eq!(
                place.about(&["note", "a/Same"]).succeeds().stdout,
                "needle one\n"
            );
            let links = place.json(&["links", "b/from"]);
            assert_eq!(links["outgoing"][0]["resolved"], "b/Same.md");
            assert_eq!(links["outgoing"][0]["ambiguous"], true);
        },
    );
}

#[test]
fn odd_names_are_names() {
    let names = [
        "🥖 bread.md",
        "two  spaces .md",
        "line\nfeed.md",
        "quote\"'`$(x).md",
        "-n.md",
        "#.md",
    ];
    check(
        |place| {
            for name in names {
                place.write(name, "needle");
            }
        },
        &[],
        |place, daemon| {
            daemon.wait_found("needle", &names);
            for name in names {
                let args = ["note", "--", name];
                let vault = place.vault();
                let mut all = vec!["--vault", vault.to_str().unwrap()];
                all.splice(0..0, ["note"]);
                all.extend(&args[1..]);
                assert_eq!(place.run(&all).succeeds().stdout, "needle\n", "{name:?}");
            }
            let text = place.about(&["search", "needle"]).succeeds().stdout;
            assert!(text.contains("line feed.md"), "{text}");
        },
    );
}

#[test]
fn unicode_twins_are_two_notes_and_named() {
    let (composed, decomposed) = ("caf\u{e9}.md", "cafe\u{301}.md");
    check(
        |place| {
            place.write(composed, "needle one");
            place.write(decomposed, "needle two");
        },
        &[(decomposed, "name_twin"), (composed, "name_twin")],
        |place, daemon| {
            daemon.wait_found("needle", &[composed, decomposed]);
            assert_eq!(
                place.about(&["note", composed]).succeeds().stdout,
                "needle one\n"
            );
            assert_eq!(
                place.about(&["note", decomposed]).succeeds().stdout,
                "needle two\n"
            );
        },
    );
}

#[test]
fn note_of_50_megabytes_is_indexed() {
    let mut text = "ordinary words in a very long line of text\n".repeat(50 * 1024 * 1024 / 43);
    text.push_str("\nneedle at the end\n");
    let place = Place::with(&[("good.md", "goodnote"), ("huge.md", &text)]);
    let mut daemon = place.serve();
    daemon.wait_found("needle", &["huge.md"]);
    place.write("later.md", "laternote");
    daemon.wait_found("laternote", &["later.md"]);
    assert!(daemon.problems().is_empty());
    daemon.stop();
}

#[test]
fn note_above_the_limit_is_skipped_until_it_shrinks() {
    let place = Place::with(&[("good.md", "goodnote")]);
    let file = fs::File::create(place.vault().join("huge.md")).unwrap();
    // A hole: large, and yet nothing on the disk.
    file.set_len(101 * 1024 * 1024).unwrap();
    let mut daemon = place.serve();
    let huge = ("huge.md".to_owned(), "too_large".to_owned());
    assert_eq!(daemon.problems(), [huge]);
    daemon.wait_found("goodnote", &["good.md"]);
    drop(file);
    place.write("huge.md", "needle");
    daemon.wait_found("needle", &["huge.md"]);
    eventually("the fault to go", || {
        daemon.problems().is_empty().then_some(())
    });
    daemon.stop();
}

#[test]
fn names_that_are_not_utf8_are_skipped() {
    use std::os::unix::ffi::OsStrExt as _;
    check(
        |place| {
            let name = std::ffi::OsStr::from_bytes(b"caf\xe9.md");
            fs::write(place.vault().join(name), "needle").unwrap();
        },
        &[("caf\u{fffd}.md (name bytes: caf\\xe9.md)", "name_not_utf8")],
        |_, daemon| daemon.wait_found("needle", &[]),
    );
}
