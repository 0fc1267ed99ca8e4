//! gRPC's own client for Python, which shares no code with the daemon, against `crucible serve`.
//!
//! `.ci/real-parts` installs it and says where it is. When it is not there the tests are ignored,
//! with the reason; in CI (`CI=true`) they fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it"]
mod it {
    #[expect(dead_code, reason = "shared with tests that need more of it")]
    pub(crate) mod harness;
}

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use it::harness::{Daemon, Place};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

const VARIABLE: &str = "CRUCIBLE_TEST_PYTHON";

fn main() {
    let mut arguments = Arguments::from_args();
    // One at a time: each starts an interpreter of its own beside the daemon.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial("python_client_makes_each_sort_of_call", calls),
        trial("python_client_is_told_that_the_daemon_ends", end),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test that needs the interpreter with the client.
fn trial(name: &str, test: fn(&str) -> Result<(), Failed>) -> Trial {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    match std::env::var(VARIABLE) {
        Ok(python) if !python.is_empty() => Trial::test(name, move || test(&python)),
        _ if is_ci => {
            let reason =
                format!("{VARIABLE} is not set; run .ci/real-parts and evaluate its output");
            Trial::test(name, move || Err(reason.into()))
        }
        _ => Trial::test(name, || Ok(()))
            .with_kind(format!("{VARIABLE} not set, see .ci/real-parts"))
            .with_ignored_flag(true),
    }
}

fn calls(python: &str) -> Result<(), Failed> {
    let served = Served::new();
    let output = served.client(python, "calls").output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the client ended with {}\n{stderr}", output.status).into());
    }
    let found: Value = serde_json::from_slice(&output.stdout)?;
    check_health(&found["health"])?;
    check_services(&found["services"])?;
    let events = &found["events"];
    check(&events["same"], &json!(true))?;
    let told = &events["told"];
    let kind = json!({
        "category": "EVENT_CATEGORY_CUSTOM",
        "name": "custom.ping",
        "fields": {},
    });
    check(&told["event_type"], &kind)?;
    check(&told["payload"], &json!({ "binary": "AP8=" }))?;
    let source = json!({ "kind": "SOURCE_KIND_EXTERNAL", "id": "api:controller" });
    check(&told["source"], &source)?;
    check_fault(&found["foreign"], "PERMISSION_DENIED", "127.0.0.1")?;
    served.daemon.stop();
    Ok(())
}

fn check_health(found: &Value) -> Result<(), Failed> {
    check(&found["whole"], &json!("SERVING"))?;
    check(&found["stopped"], &json!("NOT_SERVING"))?;
    let watched = json!(["SERVING", "NOT_SERVING", "SERVING"]);
    check(&found["watched"], &watched)?;
    check_fault(&found["unknown"], "NOT_FOUND", "vault")
}

fn check_services(found: &Value) -> Result<(), Failed> {
    let names = found["names"].as_array().ok_or("no names")?;
    for name in ["api", "datastore", "vault"] {
        if !names.contains(&json!(name)) {
            return Err(format!("no {name} in {names:?}").into());
        }
    }
    let restarted = &found["restarted"];
    check(&restarted["name"], &json!("vault"))?;
    check(&restarted["state"], &json!("SERVICE_STATE_RUNNING"))?;
    check(&restarted["ready"], &json!(true))?;
    check_fault(&found["nobody"], "UNAUTHENTICATED", "crucible token create")?;
    check_fault(&found["reader"], "PERMISSION_DENIED", "--scope control")
}

fn end(python: &str) -> Result<(), Failed> {
    let served = Served::new();
    let mut client = served.client(python, "follow").spawn()?;
    let mut lines = BufReader::new(client.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    check(&json!(line), &json!("subscribed\n"))?;
    // Ends in order, though the client would go on listening.
    served.daemon.stop();
    let mut rest = String::new();
    lines.read_to_string(&mut rest)?;
    client.wait()?;
    check_fault(&serde_json::from_str(&rest)?, "UNAVAILABLE", "call again")
}

/// A daemon, and tokens for it.
struct Served {
    daemon: Daemon,
    address: SocketAddr,
    tokens: [String; 2],
    _place: Place,
}

impl Served {
    fn new() -> Self {
        let place = Place::with(&[("Bread.md", "# Bread\n\nFlour and water.\n")]);
        let mut daemon = place.serve();
        let address = daemon.api();
        let token = |name: &str, scopes: &[&str]| {
            let mut args = vec!["token", "create", name];
            args.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
            place.about(&args).succeeds().stdout.trim().to_owned()
        };
        let tokens = [
            token("controller", &["read", "control"]),
            token("reader", &["read"]),
        ];
        Self {
            daemon,
            address,
            tokens,
            _place: place,
        }
    }

    fn client(&self, python: &str, mode: &str) -> Command {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(python);
        command
            .arg(home.join("tests/real_grpc/client.py"))
            .arg(mode)
            .arg(self.address.to_string())
            .arg(home.join("../crucible-api/proto"))
            .args(&self.tokens)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

fn check_fault(found: &Value, code: &str, mentioned: &str) -> Result<(), Failed> {
    check(&found["code"], &json!(code))?;
    let message = found["message"].as_str().unwrap_or_default();
    if message.contains(mentioned) {
        Ok(())
    } else {
        Err(format!("{mentioned:?} is not mentioned: {found}").into())
    }
}

fn check(found: &Value, expected: &Value) -> Result<(), Failed> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("found {found} instead of {expected}").into())
    }
}
