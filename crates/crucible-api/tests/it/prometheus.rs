//! The figures for Prometheus, held against the rules of the text format and of its names
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>, `/docs/practices/naming/`).

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

#[derive(Debug, Default)]
struct Exposition {
    types: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Reads the format, and panics on what breaks its rules.
fn parse(text: &str) -> Exposition {
    assert!(text.ends_with('\n'), "the last line must end");
    let mut found = Exposition::default();
    let mut family = String::new();
    let mut helped = BTreeSet::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(
                !words.is_empty() && helped.insert(name.to_owned()),
                "{line}"
            );
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(is_name(name) && helped.contains(name), "{line}");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            let before = found.types.insert(name.to_owned(), kind.to_owned());
            assert!(before.is_none(), "a family is in one piece: {line}");
            name.clone_into(&mut family);
        } else {
            let sample = sample(line);
            assert_eq!(sample.name, family, "a sample stands below its family");
            found.samples.push(sample);
        }
    }
    found
}

fn sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match head.split_once('{') {
        Some((name, rest)) => (name, read_labels(rest.strip_suffix('}').unwrap())),
        None => (head, BTreeMap::new()),
    };
    assert!(is_name(name), "{line}");
    Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().unwrap(),
    }
}

fn read_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(name), "{text}");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    odd => panic!("{odd} cannot be escaped"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{text}");
        rest = after[end + 1..].trim_start_matches(',');
    }
    labels
}

#[tokio::test]
async fn figures_follow_the_format_and_its_conventions() {
    let rig = crate::services::rig().await;
    let answer = rig.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let found = parse(&answer.text);
    let mut seen = BTreeSet::new();
    for sample in &found.samples {
        assert!(sample.name.starts_with("crucible_"), "{sample:?}");
        assert!(
            sample.value.is_finite() && sample.value >= 0.0,
            "{sample:?}"
        );
        let kind = &found.types[&sample.name];
        assert_eq!(
            kind == "counter",
            sample.name.ends_with("_total"),
            "{sample:?}"
        );
        for odd in ["_ms", "_us", "_percent", "_count", "_sum"] {
            assert!(!sample.name.ends_with(odd), "{sample:?}");
        }
        assert!(
            seen.insert((&sample.name, &sample.labels)),
            "twice: {sample:?}"
        );
    }
    let value = |name: &str, service: &str| {
        let of_service = |s: &&Sample| {
            s.name == name && s.labels.get("service").is_none_or(|given| given == service)
        };
        found.samples.iter().find(of_service).unwrap().value
    };
    assert!((value("crucible_service_up", "vault") - 1.0).abs() < f64::EPSILON);
    assert!((value("crucible_blocks", "") - 12_770.0).abs() < f64::EPSILON);
    assert!((value("crucible_services_running", "") - 4.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn labels_come_from_fixed_lists_and_services_only() {
    let rig = crate::services::rig().await;
    let found = parse(&rig.get("/metrics").await.text);
    let mut names = BTreeSet::new();
    for sample in &found.samples {
        names.extend(sample.labels.keys().cloned());
    }
    let expected = ["quantile", "reason", "service", "version"];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert!(found.samples.len() < 150, "{}", found.samples.len());
}

#[tokio::test]
async fn many_services_with_odd_names_stay_bounded_and_readable() {
    let rig = crate::services::rig_of_many(300).await;
    let found = parse(&rig.get("/metrics").await.text);
    let services: BTreeSet<_> = found
        .samples
        .iter()
        .filter_map(|sample| sample.labels.get("service"))
        .collect();
    assert_eq!(services.len(), 200);
    assert!(services.iter().any(|name| name.contains("\"\\")));
    let all = found
        .samples
        .iter()
        .find(|s| s.name == "crucible_services")
        .unwrap();
    assert!((all.value - 300.0).abs() < f64::EPSILON);
}
