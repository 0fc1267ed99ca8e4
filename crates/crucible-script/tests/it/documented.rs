//! Every manifest in the documentation is one that the engine takes.

use std::path::{Path, PathBuf};

use crucible_script::host::HOST_FUNCTIONS;
use crucible_script::manifest::Manifest;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifests() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/scripts.md")).unwrap();
    let fences = text.split("```toml\n").skip(1);
    fences
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_documented_manifest_is_taken() {
    let manifests = manifests();
    for text in &manifests {
        let text = text.replace("SCRIPT", "sample");
        if let Err(error) = Manifest::parse("sample", &text) {
            panic!("{error}\n{text}");
        }
    }
    assert!(manifests.len() >= 6, "{}", manifests.len());
}

#[test]
fn every_key_of_the_manifest_is_documented() {
    let all = manifests().concat();
    for key in [
        "about",
        "api",
        "[[on]]",
        "events",
        "paths",
        "not_paths",
        "tags",
        "function",
        "[[tool]]",
        "name",
        "read_only",
        "[tool.input]",
        "[[schedule]]",
        "cron",
        "timezone",
        "missed",
        "jitter",
        "notes.read",
        "notes.write",
        "events.subscribe",
        "events.emit",
        "kv",
        "inference",
        "mcp.expose",
        "instructions",
        "wall",
        "memory",
        "output",
        "host_calls",
    ] {
        assert!(
            all.contains(key),
            "docs/scripts.md shows no manifest with {key}"
        );
    }
}

#[test]
fn every_example_script_has_a_manifest_that_is_taken() {
    let mut seen = 0;
    for folder in std::fs::read_dir(root().join("examples/scripts")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(folder.join("script.toml")).unwrap();
        if let Err(error) = Manifest::parse(&name, &text) {
            panic!("{name}: {error}");
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn host_functions_are_grouped_by_module() {
    for function in HOST_FUNCTIONS {
        assert_eq!(function.name.split('.').count(), 2, "{}", function.name);
        assert!(function.about.ends_with('.'), "{}", function.name);
    }
}
