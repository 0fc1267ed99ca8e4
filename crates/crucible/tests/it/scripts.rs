//! Scripts on the command line, as far as they need no daemon.

use std::fs;

use crate::harness::Place;

#[test]
fn a_new_script_is_checked_and_passes_its_test() {
    let place = Place::empty();
    for (name, kind) in [("a", "--handler"), ("b", "--tool"), ("c", "--cron")] {
        let made = place
            .about(&["script", "new", name, kind])
            .succeeds()
            .stdout;
        assert!(made.contains("script.toml"), "{made}");
    }
    let checked = place.about(&["script", "check"]).succeeds().stdout;
    assert_eq!(checked.matches("good").count(), 3, "{checked}");
    let tested = place.about(&["script", "test"]).succeeds().stdout;
    assert!(tested.ends_with("3 passed, 0 failed\n"), "{tested}");
    let again = place.about(&["script", "new", "a"]).fails_with(2);
    assert!(
        again.stderr.contains("is there already"),
        "{}",
        again.stderr
    );
}

#[test]
fn faults_are_named_with_file_and_line_and_end_with_code_5() {
    let place = Place::empty();
    place.about(&["script", "new", "broken"]).succeeds();
    let folder = place.vault().join(".crucible/scripts/broken");
    let code = fs::read_to_string(folder.join("main.rn")).unwrap();
    fs::write(folder.join("main.rn"), format!("{code}\npub fn slip( {{\n")).unwrap();
    let checked = place.about(&["script", "check", "--json"]).fails_with(5);
    assert!(checked.stdout.contains("main.rn:"), "{}", checked.stdout);
    fs::write(
        folder.join("main.rn"),
        code.replace("\"Sample\")", "\"Other\")"),
    )
    .unwrap();
    place.about(&["script", "check"]).succeeds();
    let tested = place.about(&["script", "test", "broken"]).fails_with(5);
    assert!(
        tested.stdout.contains("0 passed, 1 failed"),
        "{}",
        tested.stdout
    );
    let manifest = fs::read_to_string(folder.join("script.toml")).unwrap();
    fs::write(
        folder.join("script.toml"),
        manifest.replace("events", "evnts"),
    )
    .unwrap();
    let checked = place.about(&["script", "check"]).fails_with(5);
    assert!(
        checked.stdout.contains("did you mean `events`?"),
        "{}",
        checked.stdout
    );
}

#[test]
fn what_needs_a_daemon_says_so() {
    let place = Place::empty();
    for command in [
        &["script", "list"][..],
        &["script", "grant", "a", "--all"],
        &["script", "run", "a", "f"],
        &["script", "logs", "a"],
        &["script", "reload", "a"],
    ] {
        let refused = place.about(command).fails_with(1);
        assert!(
            refused.stderr.contains("crucible serve"),
            "{}",
            refused.stderr
        );
    }
    let nothing = place.about(&["script", "check"]).fails_with(2);
    assert!(
        nothing.stderr.contains("crucible script new"),
        "{}",
        nothing.stderr
    );
}
