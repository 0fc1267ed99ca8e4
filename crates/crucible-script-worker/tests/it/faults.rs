//! Scripts that loop, recurse, nest, allocate and flood: each is stopped, with the limit named.

use std::time::Duration;

use crucible_services::script::{Budget, Error};
use serde_json::json;

use crate::support::{MemoryHost, call_of, main_of, run, script, worker};

/// Runs `main` of a hostile script, then a good one in the same place.
async fn stopped_by(text: &str, budget: Budget) -> Result<String, Error> {
    let mut spec = main_of(text);
    spec.budget = budget;
    match run(spec, &MemoryHost::default()).await {
        Err(Error::Stopped { limit }) => Ok(limit),
        Err(error) => Err(error),
        Ok(done) => panic!("it came to an end: {done:?}"),
    }
}

fn patient() -> Budget {
    Budget {
        wall: Duration::from_secs(60),
        ..Budget::default()
    }
}

fn hasty() -> Budget {
    Budget {
        wall: Duration::from_millis(300),
        instructions: u64::MAX,
        ..Budget::default()
    }
}

#[tokio::test]
async fn a_loop_uses_up_its_instructions() {
    let budget = Budget {
        instructions: 2_000_000,
        ..patient()
    };
    let limit = stopped_by("pub fn main() { loop {} }", budget).await;
    assert_eq!(limit.unwrap(), "instructions");
    let limit = stopped_by("pub async fn main() { loop {} }", budget).await;
    assert_eq!(limit.unwrap(), "instructions");
}

#[tokio::test]
async fn a_loop_with_endless_instructions_is_told_to_stop_and_its_worker_lives() {
    let host = MemoryHost::default();
    let mut worker = worker().await;
    let mut spec = main_of("pub fn main() { loop {} }");
    spec.budget = hasty();
    let error = worker.call(spec, &host).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped: the time budget was used up");
    assert!(worker.is_usable());
    let done = worker.call(main_of("pub fn main() { 3 }"), &host).await;
    assert_eq!(done.unwrap().value, json!(3));
}

#[tokio::test]
async fn a_native_iterator_is_killed_when_its_time_is_up() {
    let host = MemoryHost::default();
    let mut worker = worker().await;
    let mut spec = main_of("pub fn main() { (0..100_000_000_000).iter().sum::<i64>() }");
    spec.budget = hasty();
    let error = worker.call(spec, &host).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped: the time budget was used up");
    assert!(!worker.is_usable());
    assert!(worker.death().unwrap().contains("did not stop"));
}

#[tokio::test]
async fn a_script_that_waits_in_a_host_call_is_stopped() {
    struct Never;
    #[async_trait::async_trait]
    impl crucible_script::worker::HostCalls for Never {
        async fn host_call(
            &self,
            _: &str,
            _: Vec<serde_json::Value>,
        ) -> Result<serde_json::Value, crucible_script::protocol::HostError> {
            std::future::pending().await
        }
        fn log(&self, _: crucible_script::protocol::Level, _: &str) {}
    }
    let mut worker = worker().await;
    let mut spec = main_of("pub fn main() { notes::read(\"a\") }");
    spec.budget = hasty();
    let error = worker.call(spec, &Never).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped: the time budget was used up");
    assert!(worker.is_usable());
}

#[tokio::test]
async fn endless_recursion_is_stopped() {
    let text = "fn f(n) { f(n + 1) + 1 } pub fn main() { f(0) }";
    let limit = stopped_by(text, patient()).await.unwrap();
    assert!(
        ["memory", "instructions"].contains(&limit.as_str()),
        "{limit}"
    );
}

#[tokio::test]
async fn data_nested_a_million_deep_is_an_error_and_no_crash_of_ours() {
    let text = "pub fn main() { let a = []; for _ in 0..1_000_000 { a = [a]; } a }";
    match stopped_by(text, patient()).await {
        Ok(limit) => assert_eq!(limit, "memory"),
        Err(Error::Failed(message)) => assert!(message.contains("nested"), "{message}"),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn data_that_the_language_walks_too_deep_ends_the_worker_with_its_cause() {
    let mut worker = worker().await;
    let host = MemoryHost::default();
    let mut spec = main_of(
        "pub fn main() { let a = []; for _ in 0..1_000_000 { a = [a]; } format!(\"{:?}\", a) }",
    );
    spec.budget.memory_bytes = 256 * 1024 * 1024;
    let error = worker.call(spec, &host).await.unwrap_err().to_string();
    let expected = "overflowed its stack while test::main ran: calls or data are nested too deep";
    assert!(error.contains(expected), "{error}");
    assert_eq!(worker.death(), Some("its stack overflowed"));
}

#[tokio::test]
async fn a_value_nested_too_deep_does_not_leave_the_script() {
    let text = "pub fn main() { let a = []; for _ in 0..10_000 { a = [a]; } a }";
    let error = stopped_by(text, patient()).await.unwrap_err();
    assert!(
        error.to_string().contains("nested deeper than 64"),
        "{error}"
    );
}

#[tokio::test]
async fn five_thousand_parentheses_are_refused_before_they_are_compiled() {
    let mut worker = worker().await;
    let text = format!(
        "pub fn main() {{ {}1{} }}",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    let fault = worker.load(&script(&text)).await.unwrap().fault().unwrap();
    assert_eq!(
        fault.to_string(),
        "main.rn:1: brackets nest deeper than 256"
    );
    let text = format!(
        "pub fn main() {{ {}1{} }}",
        "(".repeat(250),
        ")".repeat(250)
    );
    let compiled = worker.load(&script(&text)).await.unwrap();
    assert_eq!(compiled.fault(), None);
}

#[tokio::test]
async fn nesting_without_brackets_ends_the_worker_at_most() {
    for deep in ["!", "-", "1 + ", "if true { 1 } else "] {
        let mut worker = worker().await;
        let text = format!("pub fn main() {{ {}1 }}", deep.repeat(200_000));
        match worker.load(&script(&text)).await {
            Ok(_) => worker.ping().await.unwrap(),
            Err(error) => {
                assert!(
                    matches!(error, Error::Failed(_) | Error::Stopped { .. }),
                    "{error:?}"
                );
                assert!(!worker.is_usable());
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_grows_without_end_uses_up_its_memory() {
    let text = "pub fn main() { let list = []; loop { list.push(`more ${list.len()}`); } }";
    assert_eq!(stopped_by(text, patient()).await.unwrap(), "memory");
}

#[tokio::test]
async fn a_string_that_doubles_uses_up_its_memory() {
    let text = "pub fn main() { let s = \"x\"; loop { s = `${s}${s}`; } }";
    assert_eq!(stopped_by(text, patient()).await.unwrap(), "memory");
}

#[tokio::test]
async fn memory_that_the_language_does_not_count_is_limited_by_the_system() {
    let budget = Budget {
        memory_bytes: u64::MAX,
        instructions: u64::MAX,
        ..patient()
    };
    let text = "pub fn main() { let list = []; loop { list.push(list.len().to_string()); } }";
    assert_eq!(stopped_by(text, budget).await.unwrap(), "memory");
}

#[tokio::test]
async fn a_flood_of_log_lines_uses_up_the_output() {
    let limit = stopped_by("pub fn main() { loop { log::info(\"x\"); } }", patient()).await;
    assert_eq!(limit.unwrap(), "output");
    let text = "pub fn main() { let s = \"x\"; for _ in 0..21 { s = `${s}${s}`; } log::info(s) }";
    assert_eq!(stopped_by(text, patient()).await.unwrap(), "output");
}

#[tokio::test]
async fn a_value_that_is_too_large_uses_up_the_output() {
    let text = "pub fn main() { let list = []; for n in 0..1_000_000 { list.push(n); } list }";
    assert_eq!(stopped_by(text, patient()).await.unwrap(), "output");
    let budget = Budget {
        output_bytes: u64::MAX,
        ..patient()
    };
    let text = "pub fn main() { let s = \"\\u{1}\"; for _ in 0..20 { s = `${s}${s}`; } s }";
    assert_eq!(stopped_by(text, budget).await.unwrap(), "output");
}

#[tokio::test]
async fn a_million_host_calls_use_up_their_number() {
    let host = MemoryHost::default();
    let mut worker = worker().await;
    let text = "pub fn main() { for _ in 0..1_000_000 { clock::now()?; } }";
    let error = worker.call(main_of(text), &host).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "stopped: the host calls budget was used up"
    );
    assert_eq!(host.asked.lock().unwrap().len(), 10_000);
    assert!(worker.is_usable());
}

#[tokio::test]
async fn panics_missing_functions_and_wrong_arguments_are_failures() {
    let mut worker = worker().await;
    let host = MemoryHost::default();
    let text = "pub fn main() { panic!(\"out of cheese\") } pub fn one(a) { a } fn hidden() {}";
    for (function, arguments, expected) in [
        ("main", vec![], "out of cheese"),
        (
            "nothing",
            vec![],
            "no public function \"nothing\"; it has main, one",
        ),
        ("hidden", vec![], "no public function \"hidden\""),
        ("one", vec![], "takes 1 arguments, and 0 were given"),
        (
            "one",
            vec![json!(1), json!(2)],
            "takes 1 arguments, and 2 were given",
        ),
    ] {
        let spec = call_of(text, function, arguments);
        let error = worker.call(spec, &host).await.unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(worker.is_usable());
}

#[tokio::test]
async fn arguments_that_are_too_deep_or_too_large_are_refused() {
    let mut worker = worker().await;
    let host = MemoryHost::default();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let large = json!("x".repeat(5_000_000));
    for (argument, expected) in [(deep, "nested deeper"), (large, "too large")] {
        let spec = call_of("pub fn main(a) { a }", "main", vec![argument]);
        let error = worker.call(spec, &host).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    worker.ping().await.unwrap();
}

#[tokio::test]
async fn answers_that_are_too_deep_or_too_large_become_errors_for_the_script() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let large = json!("x".repeat(5_000_000));
    for answer in [deep, large] {
        let host = MemoryHost::answering("notes.read", Ok(answer));
        let text = "pub fn main() { match notes::read(1) { Err(e) => e.kind, _ => \"?\" } }";
        let done = run(main_of(text), &host).await.unwrap();
        assert_eq!(done.value, json!("too_large"));
    }
}
