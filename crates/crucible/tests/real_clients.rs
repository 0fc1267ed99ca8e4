//! MCP clients that others wrote, against `crucible mcp` over stdio and `crucible serve` over HTTP.
//!
//! `.ci/real-parts` installs them and says where they are. A client that is not there makes its
//! tests ignored, with the reason; in CI (`CI=true`) it makes them fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it"]
mod it {
    #[expect(dead_code, reason = "shared with tests that need more of it")]
    pub(crate) mod harness;
}

#[path = "real_clients/talk.rs"]
mod talk;
#[path = "real_clients/whole.rs"]
mod whole;

use std::path::PathBuf;
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

/// The tools, each with arguments that the example vault answers, and what the answer mentions.
fn calls() -> [(&'static str, Value, &'static str); 4] {
    [
        (
            "search_notes",
            json!({ "query": "sluggish starter" }),
            "Sluggish Starter",
        ),
        ("read_note", json!({ "ref": "Poke Test" }), "Poke Test"),
        ("list_notes", json!({ "folder": "Recipes" }), "Bagels"),
        ("note_links", json!({ "ref": "Glossary" }), "Banneton"),
    ]
}

/// What a Python client is led through: see [`whole`].
type Tour = fn(&str, &str) -> Result<(), Failed>;

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time: each starts an interpreter of its own beside the daemon.
    arguments.test_threads = Some(1);
    let tours: [(&str, Tour); 4] = [
        (
            "python_client_reads_changes_and_follows_notes_over_stdio",
            whole::over_stdio,
        ),
        (
            "python_client_reads_changes_and_follows_notes_beside_a_daemon",
            whole::beside_a_daemon,
        ),
        (
            "python_client_reads_changes_and_follows_notes_over_http",
            whole::over_http,
        ),
        (
            "python_client_changes_nothing_with_a_token_that_may_only_read",
            whole::read_only,
        ),
    ];
    let mut trials = vec![inspector("legacy"), inspector("modern")];
    for (name, tour) in tours {
        trials.extend(["auto", "legacy"].map(|mode| python(name, mode, tour)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test that needs the client which a variable names.
fn trial(
    name: String,
    variable: &'static str,
    test: impl FnOnce(String) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    match std::env::var(variable) {
        Ok(client) if !client.is_empty() => Trial::test(name, move || test(client)),
        _ if is_ci => {
            let reason =
                format!("{variable} is not set; run .ci/real-parts and evaluate its output");
            Trial::test(name, move || Err(reason.into()))
        }
        _ => Trial::test(name, || Ok(()))
            .with_kind(format!("{variable} not set, see .ci/real-parts"))
            .with_ignored_flag(true),
    }
}

fn python(name: &str, mode: &'static str, tour: Tour) -> Trial {
    let name = format!("{name}_in_mode_{mode}");
    trial(name, "CRUCIBLE_TEST_PYTHON", move |python| {
        tour(&python, mode)
    })
}

fn inspector(era: &'static str) -> Trial {
    let name = format!("inspector_lists_and_calls_all_tools_in_the_{era}_era");
    trial(name, "CRUCIBLE_TEST_INSPECTOR", move |inspector| {
        let place = Place::new();
        let ask = |method: &[&str]| {
            let mut words = inspector.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            // Its own state stays out of the home of whoever runs the tests.
            command.env("HOME", place.temp.path());
            command
                .args(words)
                .args(["--quiet", "--format", "json", "--protocol-era", era]);
            command.args(method).args(["--"]).args(place.server());
            run(&mut command)
        };
        let listed = ask(&["--method", "tools/list", "--strict"])?;
        let listed = listed.get("result").unwrap_or(&listed);
        let tools = listed["tools"]
            .as_array()
            .ok_or_else(|| format!("no tools in {listed}"))?;
        // The writing ones are not called here: the vault is the one that the README shows.
        let writing = ["create_note", "edit_note", "move_note"];
        check_names(tools.iter().map(|tool| &tool["name"]), &writing)?;
        for (tool, arguments, mentioned) in calls() {
            let arguments = arguments.to_string();
            let answer = ask(&[
                "--method",
                "tools/call",
                "--tool-name",
                tool,
                "--tool-args-json",
                &arguments,
            ])?;
            check_result(tool, mentioned, answer.get("result").unwrap_or(&answer))?;
        }
        Ok(())
    })
}

/// A data folder of its own and the command line of the server.
struct Place {
    temp: tempfile::TempDir,
}

impl Place {
    /// The index is built first: an agent that asks at once is answered from what there is.
    fn new() -> Self {
        let place = Self {
            temp: tempfile::tempdir().unwrap(),
        };
        let [program, option, data, _, vault] = place.server();
        let indexed = Command::new(program)
            .args([&option, &data, "search", "dough", "--vault", &vault])
            .output()
            .unwrap();
        assert!(indexed.status.success(), "{indexed:?}");
        place
    }

    fn server(&self) -> [String; 5] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            env!("CARGO_BIN_EXE_crucible").to_owned(),
            "--data-dir".to_owned(),
            text(self.temp.path().join("data")),
            "mcp".to_owned(),
            text(manifest_dir().join("../../examples/vault")),
        ]
    }
}

fn manifest_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a client to its end and reads the JSON that it prints. The clients bound their own waits.
fn run(command: &mut Command) -> Result<Value, Failed> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    if !status.success() {
        return Err(format!("{command:?} ended with {status}\n{stdout}\n{stderr}").into());
    }
    serde_json::from_str(&stdout).map_err(|e| format!("{e} in:\n{stdout}\n{stderr}").into())
}

/// Checks that exactly the reading tools and `more` are there.
fn check_names<'a>(
    names: impl Iterator<Item = &'a Value>,
    more: &[&'static str],
) -> Result<(), Failed> {
    let mut names: Vec<&str> = names.filter_map(Value::as_str).collect();
    names.sort_unstable();
    let reading = calls().map(|(tool, ..)| tool);
    let mut expected: Vec<&str> = reading.into_iter().chain(more.iter().copied()).collect();
    expected.sort_unstable();
    check(names == expected, &json!(names))
}

fn check_result(tool: &str, mentioned: &str, result: &Value) -> Result<(), Failed> {
    let is_error = result["isError"] == true;
    let has_text = result["content"].to_string().contains(mentioned);
    if is_error || !has_text {
        return Err(format!("{tool} does not mention {mentioned:?}: {result:#}").into());
    }
    Ok(())
}

fn check(is_so: bool, seen: &Value) -> Result<(), Failed> {
    if is_so {
        Ok(())
    } else {
        Err(format!("unexpected: {seen}").into())
    }
}
