//! A provider of text that dies: who asks is answered by the next one, and `crucible services` says
//! what is wrong, until it is back.
//!
//! The providers are processes of their own, which this very program becomes when it is told to: so
//! they can be killed as anything else on the machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "it"]
mod it {
    #[expect(dead_code, reason = "shared with tests that need more of it")]
    pub(crate) mod harness;
}
#[path = "provider/process.rs"]
mod process;

use std::io::BufRead as _;

use it::harness::{Daemon, Place, eventually, http};
use libtest_mimic::{Arguments, Trial};
use process::Provider;
use serde_json::{Value, json};

fn main() {
    if process::is_meant() {
        return process::serve();
    }
    let arguments = Arguments::from_args();
    let trials = vec![
        Trial::test("a_killed_provider_is_shown_and_another_one_answers", || {
            killed_between_requests();
            Ok(())
        }),
        Trial::test("an_answer_that_breaks_off_is_not_taken_for_whole", || {
            killed_in_an_answer();
            Ok(())
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Serves the example vault with these providers, in this order; health is looked at every second.
fn serve(providers: &[&Provider]) -> (Place, Daemon) {
    let place = Place::example();
    let mut settings = "[core]\nhealth_check_interval_s = 1\n".to_owned();
    for provider in providers {
        settings += &format!(
            "[[inference.providers]]\nname = \"{}\"\nkind = \"openai\"\nbase_url = \
             \"http://127.0.0.1:{}/v1\"\nmodels = [\"m\"]\n\
             breaker = {{ failures_in_a_row = 2, rest_first = \"500ms\", rest_max = \"1s\" }}\n",
            provider.name, provider.port
        );
    }
    let file = place.root().join("crucible.toml");
    std::fs::write(&file, settings).unwrap();
    let mut daemon = place.serve_unready(&["--config", file.to_str().unwrap()]);
    daemon.wait_ready();
    (place, daemon)
}

fn question(is_stream: bool) -> Value {
    json!({
        "model": "m",
        "stream": is_stream,
        "messages": [{ "role": "user", "content": "Who are you?" }],
    })
}

/// Who answers.
fn ask(daemon: &mut Daemon) -> String {
    let answer = http::send_json(
        daemon.api(),
        "POST",
        "/v1/chat/completions",
        &question(false),
    );
    let answer = answer.succeeds().json();
    answer["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The health of the inference engine, as `crucible services show` tells it.
fn shown(place: &Place) -> (String, String) {
    let shown = place.json(&["services", "show", "inference"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        text(&shown["health"]["status"]),
        text(&shown["health"]["message"]),
    )
}

fn killed_between_requests() {
    let mut first = Provider::start("first", 0);
    let second = Provider::start("second", 0);
    let (place, mut daemon) = serve(&[&first, &second]);
    assert_eq!(ask(&mut daemon), "first");

    first.kill();
    eventually("the engine is shown as degraded, with the reason", || {
        assert_eq!(ask(&mut daemon), "second", "the caller notices nothing");
        let (status, message) = shown(&place);
        (status == "degraded" && message.contains("\"first\"")).then_some(())
    });
    let listed = place.about(&["services"]).succeeds().stdout;
    let row = listed.lines().find(|line| line.contains("inference"));
    assert!(row.is_some_and(|row| row.contains("degraded")), "{listed}");
    assert!(!place.search("sourdough").is_empty(), "search goes on");

    let _first = Provider::start("first", first.port);
    eventually("it is asked again, and all is well", || {
        let is_back = ask(&mut daemon) == "first";
        (is_back && shown(&place).0 == "healthy").then_some(())
    });
    daemon.stop();
}

fn killed_in_an_answer() {
    let mut only = Provider::start("only", 0);
    let (place, mut daemon) = serve(&[&only]);
    let body = question(true).to_string();
    let headers = [("Content-Type", "application/json")];
    let api = daemon.api();
    let mut stream = http::send(api, "POST", "/v1/chat/completions", &headers, &body);
    let (status, _headers) = http::read_head(&mut stream);
    assert_eq!(status, 200);
    let mut told = String::new();
    while !told.contains("word") {
        assert!(stream.read_line(&mut told).unwrap() > 0, "{told}");
    }
    only.kill();
    while stream.read_line(&mut told).unwrap_or_default() > 0 {}
    assert!(!told.contains("[DONE]"), "it breaks off: {told}");
    assert!(told.contains("\"error\""), "and says so: {told}");

    let answer = http::send_json(api, "POST", "/v1/chat/completions", &question(false));
    assert!((500..600).contains(&answer.status), "{answer:?}");
    assert!(answer.body.contains("only"), "{answer:?}");
    let usage = place.json(&["services", "show", "inference"]);
    assert_eq!(usage["state"], "running", "{usage}");
    daemon.stop();
}
