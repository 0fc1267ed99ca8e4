//! Wrong words, exit codes, help and completions.

use std::process::Stdio;

use crate::harness::{Place, place};

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::empty();
    for command in [
        "serve",
        "search",
        "note",
        "links",
        "status",
        "doctor",
        "mcp",
        "script",
        "completions",
    ] {
        let help = place.run(&[command, "--help"]).succeeds().stdout;
        assert!(help.contains(&format!("  crucible {command}")), "{help}");
    }
    let help = place.run(&["--help"]).succeeds().stdout;
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn completions_exist_for_all_shells() {
    let place = Place::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = place.run(&["completions", shell]).succeeds().stdout;
        for command in ["serve", "search", "doctor"] {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    place.run(&["completions", "tcsh"]).fails_with(2);
}

#[test]
fn unknown_note_ends_with_code_3_and_names_near_ones() {
    let place = Place::with(&[("Sourdough.md", "# Sourdough\n")]);
    let output = place.about(&["note", "Sourdogh"]).fails_with(3);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("Sourdough.md"), "{}", output.stderr);
    place.about(&["links", "Sourdogh", "--json"]).fails_with(3);
}

#[test]
fn name_of_several_notes_ends_with_code_3_and_lists_them() {
    let place = Place::with(&[("a/Same.md", "1"), ("b/Same.md", "2")]);
    let output = place.about(&["note", "Same"]).fails_with(3);
    assert!(
        output.stderr.contains("a/Same.md, b/Same.md"),
        "{}",
        output.stderr
    );
    assert_eq!(place.about(&["note", "b/Same"]).succeeds().stdout, "2\n");
}

#[test]
fn wrong_words_end_with_code_2() {
    let place = Place::empty();
    for args in [
        &["sarch", "x"][..],
        &["search"],
        &["search", "x", "--limit", "0"],
        &["search", "x", "--limit", "101"],
        &["serve", "--listen", "7437"],
        &["status", "--log", "crucible=loudest"],
    ] {
        let output = place.run(args).fails_with(2);
        assert!(
            output.stderr.contains("error"),
            "{args:?}: {}",
            output.stderr
        );
    }
}

#[test]
fn missing_vault_is_named_with_a_cure() {
    let place = Place::empty();
    let output = place
        .run(&["search", "x", "--vault", "nowhere"])
        .fails_with(1);
    assert!(output.stderr.contains("nowhere"), "{}", output.stderr);
    assert!(
        output.stderr.contains("give the path of a folder"),
        "{}",
        output.stderr
    );
}

#[test]
fn command_without_a_vault_does_not_index_the_current_folder() {
    let place = Place::empty();
    let output = place.run(&["search", "x"]).fails_with(2);
    assert!(output.stderr.contains("--vault"), "{}", output.stderr);
    assert!(!place.data().join("vaults").exists());
}

#[test]
fn only_served_vault_is_the_one_that_is_meant() {
    let place = Place::with(&[("a.md", "needle")]);
    let daemon = place.serve();
    let output = place.run(&["search", "needle"]).succeeds();
    assert!(output.stdout.contains("a.md"), "{}", output.stdout);
    daemon.stop();
}

#[test]
fn indexed_vault_around_the_current_folder_is_the_one_that_is_meant() {
    let place = Place::with(&[("deep/er/a.md", "needle")]);
    place.about(&["search", "needle"]).succeeds();
    let mut command = place.command(&["search", "needle"]);
    command.current_dir(place.vault().join("deep/er"));
    let output = place::finish(command.spawn().unwrap(), "search").succeeds();
    assert!(output.stdout.contains("deep/er/a.md"), "{}", output.stdout);
}

#[test]
fn reader_that_goes_away_is_no_failure() {
    let place = Place::with(&[("a.md", "needle\n".repeat(50_000).as_str())]);
    let vault = place.vault();
    let mut command = place.command(&["note", "a", "--vault", vault.to_str().unwrap()]);
    command.stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = place::finish(child, "note without a reader");
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
}

#[test]
fn control_characters_of_a_note_do_not_reach_the_terminal() {
    let place = Place::with(&[(
        "a.md",
        "# Title\u{1b}[2J\n\nneedle \u{1b}]0;owned\u{7} here\n",
    )]);
    for args in [&["search", "needle"][..], &["note", "a"], &["links", "a"]] {
        let output = place.about(args).succeeds().stdout;
        assert!(!output.contains(['\u{1b}', '\u{7}']), "{output:?}");
    }
}
