//! Frontmatter, well and badly formed.

use serde_json::{Value, json};

use crate::outline::{blocks, check, fault, links, tags};
use crate::sound::facts_of;

#[track_caller]
fn properties(text: &str, expected: &Value) {
    let facts = facts_of(text);
    assert_eq!(facts.frontmatter_fault, None, "{text:?}");
    assert_eq!(&Value::Object(facts.properties), expected, "{text:?}");
}

#[test]
fn three_notations_give_the_same_kind_of_properties() {
    properties(
        "---\na: 1\nb: [x, 2.5, true, null]\nc:\n  d: e\n---\nf",
        &json!({"a": 1, "b": ["x", 2.5, true, null], "c": {"d": "e"}}),
    );
    properties(
        "+++\na = 1\nb = 2024-01-02\n[c]\nd = 'e'\n+++\nf",
        &json!({"a": 1, "b": "2024-01-02", "c": {"d": "e"}}),
    );
    properties("{\"a\": 1,\n \"b\": []}\n\nf", &json!({"a": 1, "b": []}));
}

#[test]
fn values_stay_what_the_writer_meant() {
    properties(
        "---\na: 2024-01-02\nb: yes\nc: no\nd: 007\ne: 1_000\nf: \"1\"\ng: 12:30\nh: .nan\n---\n",
        &json!({"a": "2024-01-02", "b": "yes", "c": "no", "d": "007", "e": "1_000", "f": "1", "g": "12:30", "h": ".nan"}),
    );
    properties(
        "---\na: |\n  x\n  y\nb: 'it''s'\nc: >-\n  p\n  q\n---\n",
        &json!({"a": "x\ny\n", "b": "it's", "c": "p q"}),
    );
    properties("---\na: &x [1]\nb: *x\n---\n", &json!({"a": [1], "b": [1]}));
    properties(
        "---\r\na: b\r\nc: d\r\n---\r\ne",
        &json!({"a": "b", "c": "d"}),
    );
    properties("\u{feff}---\na: b\n---\n", &json!({"a": "b"}));
    properties("---\n---\na", &json!({}));
    properties("---\n# only a comment\n---\na", &json!({}));
    properties("--- \na: b\n---  \nc", &json!({"a": "b"}));
    properties("---\na: b\n---", &json!({"a": "b"}));
    properties("---\n1: b\ntrue: c\n---\n", &json!({"1": "b", "true": "c"}));
    properties("---\nempty:\n---\n", &json!({"empty": null}));
}

#[test]
fn rules_and_words_at_the_top_are_no_frontmatter() {
    for text in [
        "---\n\nwords\n",
        "---\nwords: and more\n\nmore",
        "----\na: b\n----\n",
        " ---\na: b\n---\n",
        "\n---\na: b\n---\n",
        "{a}\n",
        "{\"a\" b}\n",
        "{{date}}\n",
        "-\n",
        "+++\n",
        "{",
    ] {
        let facts = facts_of(text);
        assert_eq!(facts.frontmatter, None, "{text:?}");
        assert!(facts.properties.is_empty(), "{text:?}");
    }
    check(fault, "---\n\nwords\n", &[]);
    check(fault, "----\na: b\n----\n", &[]);
}

#[test]
fn faults_name_cause_and_line_and_keep_the_text() {
    for (text, line) in [
        ("---\na: [1\nb: 2\n---\nbody", 3),
        ("---\na: \"x\n---\nbody", 2),
        ("---\na: b: c\n---\nbody", 2),
        ("---\n- a\n- b\n---\nbody", 2),
        ("---\njust words\n---\nbody", 2),
        ("---\nok: 1\n{{x}}: 2\n  bad\n---\nbody", 3),
        ("+++\na = \n+++\nbody", 2),
        ("+++\na = 1\na = 2\n+++\nbody", 3),
    ] {
        let facts = facts_of(text);
        let fault = facts
            .frontmatter_fault
            .unwrap_or_else(|| panic!("no fault in {text:?}"));
        assert!(!fault.message.is_empty());
        assert!(
            fault.line.is_some_and(|found| found.abs_diff(line) <= 1),
            "{fault:?} in {text:?}"
        );
        assert_eq!(facts.frontmatter, None, "{text:?}");
        let whole: String = facts
            .blocks
            .iter()
            .map(|block| block.text.as_str())
            .collect();
        assert!(whole.contains("body"), "{whole:?} of {text:?}");
    }
    check(
        blocks,
        "---\na: [1\n---\nbody [[b]] #c\n",
        &["1: ---/a: [1/---/body b #c"],
    );
    check(
        links,
        "---\na: [[x]\n---\n[[b]]\n",
        &["4: Wikilink b @[[b]]"],
    );
}

#[test]
fn unclosed_frontmatter_is_told_and_read_as_text() {
    check(
        fault,
        "---\na: b\n\nbody",
        &["1: frontmatter is never closed; add a line `---` after it"],
    );
    check(
        fault,
        "+++\na = 1\n\nbody",
        &["1: frontmatter is never closed; add a line `+++` after it"],
    );
    let facts = facts_of("---\na: b\n\nbody");
    assert!(facts.blocks.iter().any(|block| block.text.contains("body")));
}

#[test]
fn a_key_written_twice_is_told_and_the_last_counts() {
    let facts = facts_of("---\na: 1\na: 2\ntags: [x]\n---\n");
    assert_eq!(facts.properties["a"], 2);
    assert_eq!(facts.tags.len(), 1);
    assert_eq!(
        facts.frontmatter_fault.and_then(|fault| fault.line),
        Some(3)
    );
}

#[test]
fn faults_are_told_in_the_words_of_a_writer() {
    let cure = "put quotes around text that holds marks such as `: # @ % ? * & [ {`";
    let expected = format!("3: unexpected character: `@'; {cure}");
    check(fault, "---\naliases:\n- @me\n---\n", &[expected.as_str()]);
    let expected = format!("4: a key is empty; {cure}");
    check(
        fault,
        "---\naliases:\n  - ?\n  - x\n---\n",
        &[expected.as_str()],
    );
}

#[test]
fn bombs_are_refused() {
    let aliases = "---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n---\n";
    let deep = format!("---\na: {}{}\n---\n", "[".repeat(5000), "]".repeat(5000));
    let deep_json = format!("{{\"a\": {}{}}}\n", "[".repeat(5000), "]".repeat(5000));
    let deep_toml = format!("+++\na = {}{}\n+++\n", "[".repeat(5000), "]".repeat(5000));
    let long = format!("---\na: b\n{}---\n", "c: d\n".repeat(60_000));
    for text in [aliases, &deep, &deep_json, &deep_toml, &long] {
        let facts = facts_of(text);
        assert!(facts.frontmatter_fault.is_some(), "{}", &text[..40]);
        assert!(facts.properties.is_empty());
    }
}

#[test]
fn tags_aliases_and_links_are_taken_in_every_form() {
    check(tags, "---\ntags: a, b c\n---\n", &["a", "b", "c"]);
    check(
        tags,
        "---\nTags:\n  - '#a'\n  - b/c\n  - 2024\n  - null\n---\n#a",
        &["a", "b/c"],
    );
    check(tags, "---\ntag: a\n---\n", &["a"]);
    let facts = facts_of("---\naliases: [A b, 'C, d', 7]\ntitle: '  T '\n---\n");
    assert_eq!(facts.aliases, ["A b", "C, d", "7"]);
    assert_eq!(facts.title.as_deref(), Some("T"));
    assert_eq!(facts_of("---\naliases: A, B\n---\n").aliases, ["A", "B"]);
    check(
        links,
        "---\nup: \"[[A#B|c]]\"\nsee: ['[[D]]', 'x [[E]] y']\n---\n",
        &[
            "1: Property A#B|c @---\\nup: \"[[A#B|c]]\"\\nsee: ['[[D]]', 'x [[E]] y']\\n---\\n",
            "1: Property D @---\\nup: \"[[A#B|c]]\"\\nsee: ['[[D]]', 'x [[E]] y']\\n---\\n",
            "1: Property E @---\\nup: \"[[A#B|c]]\"\\nsee: ['[[D]]', 'x [[E]] y']\\n---\\n",
        ],
    );
}
