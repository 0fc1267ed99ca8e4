//! MCP clients that others wrote, against `crucible mcp` over stdio.
//!
//! `.ci/real-parts` installs them and says where they are. A client that is not there makes its
//! tests ignored, with the reason; in CI (`CI=true`) it makes them fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

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

/// Tools that are listed and not called here: the vault is the one that the README shows.
const WRITING: [&str; 3] = ["create_note", "edit_note", "move_note"];

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time: each starts an interpreter of its own beside the daemon.
    arguments.test_threads = Some(1);
    let trials = [
        python("auto"),
        python("legacy"),
        inspector("legacy"),
        inspector("modern"),
    ];
    libtest_mimic::run(&arguments, trials.into()).exit();
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

fn python(mode: &'static str) -> Trial {
    let name = format!("python_client_lists_and_calls_all_tools_in_mode_{mode}");
    trial(name, "CRUCIBLE_TEST_PYTHON", move |python| {
        let place = Place::new();
        let calls: Vec<Value> = calls()
            .into_iter()
            .map(|(tool, arguments, _)| json!([tool, arguments]))
            .collect();
        let script = manifest_dir().join("tests/real_clients/client.py");
        let mut command = Command::new(python);
        command
            .arg(script)
            .arg(mode)
            .arg(Value::from(calls).to_string());
        let answer = run(command.args(place.server()))?;
        let expected = if mode == "auto" {
            "2026-07-28"
        } else {
            "2025-11-25"
        };
        check(answer["protocol"] == expected, &answer["protocol"])?;
        check_names(answer["tools"].as_array().unwrap().iter())?;
        let results = answer["results"].as_array().unwrap();
        for ((tool, _, mentioned), result) in self::calls().into_iter().zip(results) {
            check_result(tool, mentioned, result)?;
        }
        check(results.len() == 4, &answer)
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
        check_names(tools.iter().map(|tool| &tool["name"]))?;
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

fn check_names<'a>(names: impl Iterator<Item = &'a Value>) -> Result<(), Failed> {
    let mut names: Vec<&str> = names.filter_map(Value::as_str).collect();
    names.sort_unstable();
    let reading = calls().map(|(tool, ..)| tool);
    let mut expected: Vec<&str> = reading.into_iter().chain(WRITING).collect();
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
