//! Calls that go well, and host calls.

use crucible_script::protocol::{HostError, Level};
use serde_json::json;

use crate::support::{MemoryHost, call_of, failure_of, files, main_of, run, value_of, worker};

#[tokio::test]
async fn a_function_gets_its_arguments_and_gives_its_value() {
    let spec = call_of(
        "pub fn add(event, more) { #{ path: event.path, sum: event.n + more, list: [1, 2.5, ()] } }",
        "add",
        vec![json!({"path": "a.md", "n": 40}), json!(2)],
    );
    let done = run(spec, &MemoryHost::default()).await.unwrap();
    assert_eq!(
        done.value,
        json!({"list": [1, 2.5, null], "path": "a.md", "sum": 42})
    );
    assert!(done.used.instructions > 0);
}

#[tokio::test]
async fn async_functions_run_to_their_end() {
    let text = "async fn half(n) { n / 2 } pub async fn main() { half(42).await }";
    assert_eq!(value_of(text).await, json!(21));
}

#[tokio::test]
async fn options_and_results_are_unwrapped() {
    assert_eq!(value_of("pub fn main() { Some(1) }").await, json!(1));
    assert_eq!(value_of("pub fn main() { None }").await, json!(null));
    assert_eq!(value_of("pub fn main() { Ok(#{}) }").await, json!({}));
    let failure = failure_of("pub fn main() { Err(\"no such week\") }").await;
    assert_eq!(failure, "no such week");
}

#[tokio::test]
async fn host_calls_carry_arguments_there_and_answers_back() {
    let host = MemoryHost::answering("notes.read", Ok(json!({"path": "a.md", "text": "# A"})));
    let text = "pub fn main() { let note = notes::read(\"a\")?; Ok(note.text) }";
    let done = run(main_of(text), &host).await.unwrap();
    assert_eq!(done.value, json!("# A"));
    assert_eq!(done.used.host_calls, 1);
    let asked = host.asked.lock().unwrap().clone();
    assert_eq!(asked, [("notes.read".to_owned(), vec![json!("a")])]);
}

#[tokio::test]
async fn the_long_names_of_host_functions_work_too() {
    let text = "use crucible::kv; pub fn main() { kv::set(\"a\", [1])?; crucible::clock::now() }";
    let value = value_of(text).await;
    assert_eq!(value["asked"], json!("clock.now"));
}

#[tokio::test]
async fn a_missing_key_is_none() {
    let host = MemoryHost::answering("kv.get", Ok(json!(null)));
    let text = "pub fn main() { match kv::get(\"a\")? { None => Ok(\"none\"), Some(v) => Ok(v) } }";
    let done = run(main_of(text), &host).await.unwrap();
    assert_eq!(done.value, json!("none"));
}

#[tokio::test]
async fn a_refused_host_call_is_an_error_with_kind_and_message() {
    let refusal = HostError::new("denied", "notes.write: x.md is not granted");
    let host = MemoryHost::answering("notes.create", Err(refusal));
    let text = r#"pub fn main() {
        match notes::create("x.md", "") {
            Ok(_) => "written",
            Err(error) => {
                log::warn(error);
                `${error.kind}: ${error}`
            }
        }
    }"#;
    let done = run(main_of(text), &host).await.unwrap();
    assert_eq!(
        done.value,
        json!("denied: notes.write: x.md is not granted")
    );
    let lines = host.lines.lock().unwrap().clone();
    let line = "notes.write: x.md is not granted".to_owned();
    assert_eq!(lines, [(Level::Warn, line)]);

    let text = "pub fn main() { notes::create(\"x.md\", \"\")?; }";
    let error = run(main_of(text), &host).await.unwrap_err().to_string();
    assert_eq!(error, "notes.write: x.md is not granted");
}

#[tokio::test]
async fn log_lines_come_in_order_with_their_levels() {
    let host = MemoryHost::default();
    let text = "pub fn main() { log::info(`a ${1}`); log::error([1, #{}]); log::debug(\"c\"); }";
    run(main_of(text), &host).await.unwrap();
    let lines = host.lines.lock().unwrap().clone();
    assert_eq!(
        lines,
        [
            (Level::Info, "a 1".to_owned()),
            (Level::Error, "[1,{}]".to_owned()),
            (Level::Debug, "c".to_owned()),
        ]
    );
}

#[tokio::test]
async fn modules_come_from_the_scripts_own_files() {
    let mut spec = main_of("");
    spec.script = files(&[
        ("main.rn", "mod week; pub fn main() { week::days::count() }"),
        ("week.rn", "pub mod days;"),
        ("week/days.rn", "pub fn count() { 7 }"),
    ]);
    let done = run(spec, &MemoryHost::default()).await.unwrap();
    assert_eq!(done.value, json!(7));
}

#[tokio::test]
async fn calls_share_nothing_and_a_new_version_takes_over() {
    let host = MemoryHost::default();
    let mut worker = worker().await;
    for (text, value) in [
        ("pub fn main() { 1 }", 1),
        ("pub fn main() { 2 }", 2),
        ("pub fn main() { 1 }", 1),
    ] {
        let done = worker.call(main_of(text), &host).await.unwrap();
        assert_eq!(done.value, json!(value));
    }
    worker.ping().await.unwrap();
    worker.unload("test").await.unwrap();
    let done = worker.call(main_of("pub fn main() { 1 }"), &host).await;
    assert_eq!(done.unwrap().value, json!(1));
}
