//! What is told of a script when it is compiled.

use crucible_services::script::Error;

use crate::support::{MemoryHost, call_of, failure_of, files, main_of, run, script, worker};

#[tokio::test]
async fn public_functions_and_tests_are_listed_with_their_arity() {
    let source = files(&[
        (
            "main.rn",
            "mod more;\npub fn on_note(event) { helper(event) }\nfn helper(e) { e }\n\
             #[test]\nfn it_works() {}\nmod inner { #[test] fn deep() {} pub fn no() {} }",
        ),
        ("more.rn", "#[test]\nfn in_a_file() {}"),
    ]);
    let compiled = worker().await.load(&source).await.unwrap();
    assert_eq!(compiled.fault(), None);
    let functions: Vec<_> = compiled
        .functions
        .iter()
        .map(|function| (function.name.as_str(), function.arguments, function.test))
        .collect();
    assert_eq!(
        functions,
        [
            ("more::in_a_file", 0, true),
            ("on_note", 1, false),
            ("it_works", 0, true),
            ("inner::deep", 0, true),
        ]
    );
}

#[tokio::test]
async fn tests_of_inner_modules_can_be_called() {
    let spec = call_of(
        "mod inner { #[test] fn bad() { assert_eq!(1, 2) } }",
        "inner::bad",
        vec![],
    );
    let error = run(spec, &MemoryHost::default()).await.unwrap_err();
    assert!(error.to_string().contains("assertion"), "{error}");
}

#[tokio::test]
async fn faults_name_file_line_and_column() {
    let source = files(&[
        ("main.rn", "mod broken;\npub fn main() {}"),
        (
            "broken.rn",
            "pub fn ok() {}\n\npub fn bad() {\n    let = 3;\n}\n",
        ),
    ]);
    let compiled = worker().await.load(&source).await.unwrap();
    let first = &compiled.diagnostics[0];
    assert_eq!((first.file.as_str(), first.line), ("broken.rn", 4));
    assert!(first.column > 1 && first.fatal);
    assert!(compiled.functions.is_empty());
}

#[tokio::test]
async fn unknown_names_and_missing_files_are_faults() {
    let mut worker = worker().await;
    for (text, expected) in [
        ("pub fn main() { notes::destroy(1) }", "destroy"),
        ("pub fn main() { fs::read(\"/etc/passwd\") }", "fs"),
        (
            "mod away; pub fn main() {}",
            "the script has no file away.rn",
        ),
        ("pub fn main() { println!(\"{\") }", ""),
    ] {
        let compiled = worker.load(&script(text)).await.unwrap();
        let Some(Error::Compile { file, message, .. }) = compiled.fault() else {
            panic!("{text} compiled: {compiled:?}");
        };
        assert_eq!(file, "main.rn");
        assert!(message.contains(expected), "{text}: {message}");
    }
    worker.ping().await.unwrap();
}

#[tokio::test]
async fn a_call_of_a_script_that_does_not_compile_says_so() {
    let error = run(main_of("pub fn main() {"), &MemoryHost::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Compile { line: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn a_version_that_does_not_compile_replaces_none() {
    let mut worker = worker().await;
    let host = MemoryHost::default();
    worker.load(&script("pub fn main() { 1 }")).await.unwrap();
    worker.load(&script("pub fn main() { ")).await.unwrap();
    let done = worker.call(main_of("pub fn main() { 1 }"), &host).await;
    assert_eq!(done.unwrap().value, serde_json::json!(1));
}

#[tokio::test]
async fn failures_name_the_line_of_the_script() {
    let text = "pub fn main() {\n    let list = [1];\n    list.no_such_thing()\n}";
    let failure = failure_of(text).await;
    assert!(failure.starts_with("main.rn:3: "), "{failure}");
}
