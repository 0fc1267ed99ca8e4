//! The README tells the truth: its examples are run, and what they print is compared with what it shows.
//!
//! Every ```` ```console ```` block counts. A line `$ crucible ..` is run against a copy of the example
//! vault, and its output must be exactly the lines below it, but for the vault's path. The line that
//! serves the vault is compared row by row. A command that is not known here fails the test, so that no
//! example goes untested.

use std::fs;
use std::path::Path;

use crate::harness::Place;

/// Where the README pretends that the vault lives.
const SHOWN_VAULT: &str = "/home/you/crucible/examples/vault";
/// Commands that the README may show and that this test cannot run from inside a test run.
const RUN_BY_CI: [&str; 1] = ["cargo test --workspace"];

/// One command and the lines shown below it.
struct Example {
    command: String,
    output: Vec<String>,
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap()
}

fn examples(text: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line.strip_prefix("$ ")) {
            (false, _) => inside = line == "```console",
            (true, _) if line == "```" => inside = false,
            (true, Some(command)) => examples.push(Example {
                command: command.to_owned(),
                output: Vec::new(),
            }),
            (true, None) => examples.last_mut().unwrap().output.push(line.to_owned()),
        }
    }
    examples
}

/// Splits a command as a shell does, as far as the README needs it: words and double quotes.
fn words(command: &str) -> Vec<String> {
    command
        .split('"')
        .enumerate()
        .flat_map(|(part, text)| match part % 2 {
            0 => text.split_whitespace().map(str::to_owned).collect(),
            _ => vec![text.to_owned()],
        })
        .collect()
}

#[test]
fn commands_print_what_the_readme_shows() {
    let place = Place::example();
    let vault = place.vault().display().to_string();
    let mut run = 0;
    for example in examples(&readme()) {
        let Some(arguments) = example.command.strip_prefix("crucible ") else {
            continue;
        };
        let arguments = words(arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let printed = place.about(&arguments).succeeds().stdout;
        let printed = printed.replace(&vault, SHOWN_VAULT);
        assert_eq!(
            printed.trim_end(),
            example.output.join("\n").trim_end(),
            "{}",
            example.command
        );
        run += 1;
    }
    assert!(run > 0, "the README shows no command");
}

#[test]
fn serving_shows_the_rows_that_the_readme_shows() {
    let shown = examples(&readme())
        .into_iter()
        .find(|example| example.command == "cargo run -- serve examples/vault")
        .expect("the README begins with serving the example vault");
    let place = Place::example();
    let mut daemon = place.serve();
    daemon.wait_line("Ctrl-C stops");
    let names = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(names(&daemon.shown), names(&shown.output));
    for row in ["notes", "links"] {
        let of = |lines: &[String]| {
            lines
                .iter()
                .find(|line| line.trim().starts_with(row))
                .cloned()
        };
        assert_eq!(of(&daemon.shown), of(&shown.output));
    }
}

#[test]
fn every_example_of_the_readme_is_tested() {
    for example in examples(&readme()) {
        let known = example.command.starts_with("crucible ")
            || example.command == "cargo run -- serve examples/vault"
            || RUN_BY_CI.contains(&example.command.as_str());
        assert!(known, "nothing tests `{}`", example.command);
    }
}

#[test]
fn files_that_documents_link_to_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            assert!(root.join(target).exists(), "{document} links to {target}");
        }
    }
}
