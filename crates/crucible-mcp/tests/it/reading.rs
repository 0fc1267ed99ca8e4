//! What `read_note` shows of a note.

use serde_json::json;

use crate::tools::tokens;
use crate::wire::{Client, text};

#[tokio::test]
async fn note_is_found_by_what_models_copy() {
    let (mut client, _vault) = Client::legacy().await;
    for reference in [
        "Projects/Garden.md",
        "Projects/Garden",
        "garden",
        "[[Garden]]",
        "[[Garden|the garden]]",
        "Projects/Garden.md:5",
        " Projects/Garden.md ",
    ] {
        let answer = client
            .answer("read_note", json!({ "ref": reference }))
            .await;
        assert_eq!(answer["path"], "Projects/Garden.md", "{reference}");
    }
    let at_line = client
        .answer("read_note", json!({ "ref": "Projects/Garden.md:5" }))
        .await;
    assert_eq!(at_line["start_line"], 5);
    let section = client
        .answer("read_note", json!({ "ref": "[[Garden#Tools]]" }))
        .await;
    assert_eq!(section["text"], "## Tools\nA spade.\n");
    let links = client
        .answer("note_links", json!({ "ref": "[[Garden#Tools]]" }))
        .await;
    assert_eq!(links["path"], "Projects/Garden.md");
}

#[tokio::test]
async fn whole_note_comes_with_its_hash_and_labels() {
    let (mut client, _vault) = Client::legacy().await;
    let result = client.call("read_note", json!({ "ref": "Start" })).await;
    let answer = &result["structuredContent"];
    assert_eq!(
        answer["text"],
        "---\naliases: [Start]\n---\n# Home\nSee [[Garden]] and [[Nowhere]].\n"
    );
    assert_eq!(answer["hash"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&answer["start_line"], &answer["end_line"]),
        (&json!(1), &json!(5))
    );
    assert_eq!(
        (&answer["total_lines"], &answer["aliases"]),
        (&json!(5), &json!(["Start"]))
    );
    assert_eq!(answer["modified"], "2023-11-14T22:13:20Z");
    assert!(answer.get("next_cursor").is_none() && answer.get("outline").is_none());
    let text = text(&result);
    assert!(
        text.starts_with("Home.md:1-5 of 5 lines — Home\nhash: "),
        "{text}"
    );
    assert!(
        text.ends_with("See [[Garden]] and [[Nowhere]].\n"),
        "{text}"
    );
}

#[tokio::test]
async fn pages_of_a_long_note_fit_together() {
    let (mut client, vault) = Client::legacy().await;
    let whole: String = (0..3000)
        .map(|n| format!("Line {n} \"quoted\" naïve 漢字\n"))
        .collect();
    let whole = format!("# Long\n{whole}{}\n", "one long line ".repeat(4000));
    vault.write("Long.md", &whole);
    let mut read = String::new();
    let mut next_line = 1;
    let mut arguments = json!({ "ref": "Long.md" });
    let mut pages = 0;
    loop {
        let result = client.call("read_note", arguments.clone()).await;
        let answer = &result["structuredContent"];
        assert!(
            tokens(&result["structuredContent"].to_string()) < 8_300,
            "{}",
            answer["end_line"]
        );
        assert!(tokens(&text(&result)) < 8_300);
        let start = answer["start_line"].as_u64().unwrap();
        assert!(
            start == next_line || start + 1 == next_line,
            "{start} {next_line}"
        );
        next_line = answer["end_line"].as_u64().unwrap() + 1;
        read.push_str(answer["text"].as_str().unwrap());
        pages += 1;
        assert_eq!(answer.get("outline").is_some(), pages == 1);
        let Some(cursor) = answer.get("next_cursor") else {
            break;
        };
        arguments["cursor"] = cursor.clone();
    }
    assert!(pages > 3, "{pages}");
    assert_eq!(read, whole);
}

#[tokio::test]
async fn cursor_of_a_note_that_has_changed_is_refused() {
    let (mut client, vault) = Client::legacy().await;
    vault.write("Long.md", &"Some words.\n".repeat(9000));
    let first = client
        .answer("read_note", json!({ "ref": "Long.md" }))
        .await;
    let arguments = json!({ "ref": "Long.md", "cursor": first["next_cursor"] });
    client.answer("read_note", arguments.clone()).await;
    vault.write("Long.md", &"Other words.\n".repeat(9000));
    let fault = client.fault("read_note", arguments).await;
    assert!(fault.contains("has changed"), "{fault}");
}

#[tokio::test]
async fn parts_of_a_note_are_read_by_heading_or_line() {
    let (mut client, _vault) = Client::legacy().await;
    let beds = client
        .answer("read_note", json!({ "ref": "Garden", "section": "beds" }))
        .await;
    assert_eq!(beds["text"], "## Beds\nTomatoes like sun.\n\n");
    assert_eq!(
        (&beds["start_line"], &beds["end_line"]),
        (&json!(4), &json!(6))
    );
    let rest = client
        .answer("read_note", json!({ "ref": "Garden", "line": 7 }))
        .await;
    assert_eq!(rest["text"], "## Tools\nA spade.\n");
    let fault = client
        .fault("read_note", json!({ "ref": "Garden", "section": "Weeds" }))
        .await;
    assert!(fault.contains("- Garden > Beds (line 4)"), "{fault}");
    let fault = client
        .fault("read_note", json!({ "ref": "Garden", "line": 99 }))
        .await;
    assert!(fault.contains("has only 8 lines"), "{fault}");
    let both = json!({ "ref": "Garden", "line": 1, "section": "Beds" });
    assert!(
        client
            .fault("read_note", both)
            .await
            .contains("only one of")
    );
}
