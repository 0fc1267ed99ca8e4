//! What the four tools answer, and what they say when they cannot.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::conform::assert_conforms;
use crate::vault::Vault;
use crate::wire::{Client, text};

/// The tokens of a text, as the gateway counts them.
pub(crate) fn tokens(text: &str) -> usize {
    text.len() / 4
}

#[tokio::test]
async fn every_answer_is_what_the_tool_said_it_would_be() {
    let (mut client, vault) = Client::legacy().await;
    vault.write(
        "Long.md",
        &format!("# Long\n{}", "A line of text.\n".repeat(5000)),
    );
    vault.write("Empty.md", "");
    let listed = client.request("tools/list", json!({})).await;
    let schema_of = |tool: &str| {
        let tools = listed["result"]["tools"].as_array().unwrap();
        tools.iter().find(|listed| listed["name"] == tool).unwrap()["outputSchema"].clone()
    };
    for (tool, arguments) in [
        ("search_notes", json!({ "query": "tomato garden" })),
        ("search_notes", json!({ "query": "zebra" })),
        (
            "search_notes",
            json!({ "query": "line", "budget_tokens": 200 }),
        ),
        ("read_note", json!({ "ref": "Home.md" })),
        ("read_note", json!({ "ref": "Long" })),
        ("read_note", json!({ "ref": "Empty" })),
        ("read_note", json!({ "ref": "Garden", "section": "Tools" })),
        ("list_notes", json!({})),
        ("list_notes", json!({ "limit": 1 })),
        ("list_notes", json!({ "folder": "No/such" })),
        ("note_links", json!({ "ref": "Garden" })),
        ("note_links", json!({ "ref": "Home", "limit": 1 })),
    ] {
        let answer = client.answer(tool, arguments.clone()).await;
        assert_conforms(&format!("{tool} {arguments}"), &schema_of(tool), &answer);
    }
}

#[tokio::test]
async fn search_ranks_narrows_and_limits() {
    let (mut client, _vault) = Client::legacy().await;
    let paths = |answer: &Value| -> Vec<String> {
        let hits = answer["hits"].as_array().unwrap();
        hits.iter()
            .map(|hit| hit["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = client
        .answer("search_notes", json!({ "query": "tomato" }))
        .await;
    assert_eq!(paths(&all), ["Projects/Garden.md", "Recipes/Index.md"]);
    let below = json!({ "query": "tomato", "folder": "/Projects/" });
    assert_eq!(
        paths(&client.answer("search_notes", below).await),
        ["Projects/Garden.md"]
    );
    let tagged = json!({ "query": "tomato", "tags": ["#food"] });
    assert_eq!(
        paths(&client.answer("search_notes", tagged).await),
        ["Recipes/Index.md"]
    );
    let one = client
        .answer("search_notes", json!({ "query": "tomato", "limit": 1 }))
        .await;
    assert_eq!(paths(&one).len(), 1);
    let hit = &all["hits"][0];
    assert_eq!(
        (&hit["line"], &hit["heading"]),
        (&json!(5), &json!("Garden"))
    );
    assert_eq!(hit["snippet"], "Tomatoes like sun.");
}

#[tokio::test]
async fn search_keeps_to_its_budget_and_says_what_it_left_out() {
    let (mut client, vault) = Client::legacy().await;
    for number in 0..40 {
        vault.write(
            &format!("Flood/{number:02}.md"),
            &format!("# {number}\n{}\n", "flood ".repeat(200)),
        );
    }
    let arguments = json!({ "query": "flood", "limit": 40, "budget_tokens": 500 });
    let result = client.call("search_notes", arguments).await;
    let text = text(&result);
    let answer = &result["structuredContent"];
    let shown = answer["hits"].as_array().unwrap().len();
    assert!(shown >= 1 && answer["left_out"] == 40 - shown, "{answer}");
    assert!(
        tokens(&text) < 600 && tokens(&answer.to_string()) < 600,
        "{}",
        text.len()
    );
    assert!(text.contains("did not fit"), "{text}");
}

#[tokio::test]
async fn no_hit_is_an_answer_that_says_how_to_go_on() {
    let (mut client, _vault) = Client::legacy().await;
    let result = client
        .call("search_notes", json!({ "query": "zebra" }))
        .await;
    assert_eq!(result["isError"], false);
    assert!(text(&result).contains("other or fewer words"), "{result}");
}

#[tokio::test]
async fn cursors_that_nobody_gave_do_no_harm() {
    let (mut client, vault) = Client::legacy().await;
    vault.write("Umlaut.md", "ä");
    let hash = client.answer("read_note", json!({ "ref": "Umlaut" })).await["hash"].clone();
    let hash = &hash.as_str().unwrap()[..16];
    for cursor in [
        "x".to_owned(),
        "..".to_owned(),
        format!("{hash}.1.2"),
        format!("{hash}.2.1"),
        format!("{hash}.0.99999999999999999999999"),
        format!("{hash}.18446744073709551615.18446744073709551615"),
        format!("{hash}.-1.2"),
    ] {
        let fault = client
            .fault("read_note", json!({ "ref": "Umlaut", "cursor": cursor }))
            .await;
        assert!(
            fault.contains("not a cursor that read_note gave"),
            "{cursor}: {fault}"
        );
    }
    let fault = client
        .fault("note_links", json!({ "ref": "Home", "cursor": "-1" }))
        .await;
    assert!(
        fault.contains("not a cursor that note_links gave"),
        "{fault}"
    );
    let beyond = client
        .answer("note_links", json!({ "ref": "Home", "cursor": "99999999" }))
        .await;
    assert_eq!(
        (&beyond["outgoing"], &beyond["outgoing_total"]),
        (&json!([]), &json!(2))
    );
    let fault = client.fault("list_notes", json!({ "cursor": "x" })).await;
    assert!(fault.contains("begin without one"), "{fault}");
}

#[tokio::test]
async fn name_of_several_notes_is_refused_with_their_paths() {
    let (mut client, _vault) = Client::legacy().await;
    for tool in ["read_note", "note_links"] {
        let fault = client.fault(tool, json!({ "ref": "Index" })).await;
        assert!(
            fault.contains("- Projects/Index.md\n- Recipes/Index.md"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn name_of_no_note_is_refused_with_near_ones_or_a_way_on() {
    let (mut client, _vault) = Client::legacy().await;
    let near = client
        .fault("read_note", json!({ "ref": "Gardening" }))
        .await;
    assert!(near.contains("- Projects/Garden.md"), "{near}");
    let none = client
        .fault("note_links", json!({ "ref": "../../etc/passwd" }))
        .await;
    assert!(
        none.contains("No note is called") && none.contains("search_notes"),
        "{none}"
    );
}

#[tokio::test]
async fn list_goes_through_all_notes_in_path_order() {
    let (mut client, _vault) = Client::legacy().await;
    let mut seen = Vec::new();
    let mut arguments = json!({ "limit": 3 });
    loop {
        let page = client.answer("list_notes", arguments.clone()).await;
        assert_eq!(page["total"], 4);
        for note in page["notes"].as_array().unwrap() {
            seen.push(note["path"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page.get("next_cursor") else {
            break;
        };
        arguments["cursor"] = cursor.clone();
    }
    assert_eq!(
        seen,
        [
            "Home.md",
            "Projects/Garden.md",
            "Projects/Index.md",
            "Recipes/Index.md"
        ]
    );
    let tagged = client.answer("list_notes", json!({ "tag": "#area" })).await;
    assert_eq!(tagged["notes"][0]["path"], "Projects/Garden.md");
    assert_eq!(tagged["total"], 1);
}

#[tokio::test]
async fn page_of_very_long_paths_is_made_shorter() {
    let (mut client, vault) = Client::legacy().await;
    for number in 0..100 {
        vault.write(&format!("{}/{number:03}.md", "deep/".repeat(400)), "x");
    }
    let page = client.answer("list_notes", json!({ "limit": 100 })).await;
    assert!(
        tokens(&page.to_string()) < 9_000,
        "{}",
        page.to_string().len()
    );
    assert!(!page["notes"].as_array().unwrap().is_empty() && page["next_cursor"].is_string());
}

#[tokio::test]
async fn links_are_shown_both_ways_and_in_pages() {
    let (mut client, _vault) = Client::legacy().await;
    let garden = client
        .answer("note_links", json!({ "ref": "Garden" }))
        .await;
    let from: Vec<_> = garden["backlinks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| &link["path"])
        .collect();
    assert_eq!(from, ["Home.md", "Projects/Index.md"]);
    assert_eq!(
        garden["backlinks"][1]["context"],
        "[[Garden|the garden]] comes first."
    );
    let home = client
        .answer("note_links", json!({ "ref": "Home", "direction": "out" }))
        .await;
    assert_eq!(home["outgoing"][0]["resolved"], "Projects/Garden.md");
    assert!(home["outgoing"][1].get("resolved").is_none(), "{home}");
    let incoming = client
        .answer("note_links", json!({ "ref": "Home", "direction": "in" }))
        .await;
    assert_eq!(
        (&incoming["outgoing"], &incoming["outgoing_total"]),
        (&json!([]), &json!(2))
    );
    let first = client
        .answer("note_links", json!({ "ref": "Garden", "limit": 1 }))
        .await;
    assert_eq!(first["backlinks"][0]["path"], "Home.md");
    let arguments = json!({ "ref": "Garden", "limit": 1, "cursor": first["next_cursor"] });
    let second = client.answer("note_links", arguments).await;
    assert_eq!(second["backlinks"][0]["path"], "Projects/Index.md");
    assert!(second.get("next_cursor").is_none(), "{second}");
}

#[tokio::test]
async fn wrong_arguments_are_answered_with_the_cure_and_never_reach_the_store() {
    let (mut client, vault) = Client::legacy().await;
    for (tool, arguments, cure) in [
        ("search_notes", json!({ "q": "x" }), "did you mean `query`?"),
        ("search_notes", json!({}), "`query` is missing"),
        (
            "search_notes",
            json!({ "query": "  " }),
            "must not be empty",
        ),
        (
            "search_notes",
            json!({ "query": "x".repeat(2000) }),
            "may have 1000",
        ),
        (
            "search_notes",
            json!({ "query": "x", "limit": 51 }),
            "from 1 to 50",
        ),
        (
            "search_notes",
            json!({ "query": "x", "tags": "food" }),
            "must be a list",
        ),
        (
            "read_note",
            json!({ "path": "Home.md" }),
            "did you mean `ref`?",
        ),
        ("read_note", json!({ "ref": ["Home.md"] }), "must be text"),
        (
            "list_notes",
            json!({ "folders": "x" }),
            "did you mean `folder`?",
        ),
        (
            "note_links",
            json!({ "ref": "Home", "direction": "up" }),
            "one of both, out, in",
        ),
    ] {
        let fault = client.fault(tool, arguments.clone()).await;
        assert!(fault.contains(cure), "{tool} {arguments}: {fault}");
    }
    assert_eq!(vault.asked.load(Ordering::SeqCst), 0);
    let nulls = json!({ "query": "tomato", "folder": null, "tags": null, "limit": null });
    client.answer("search_notes", nulls).await;
    let fault = client
        .fault("search_notes", json!({ "query": "\"open" }))
        .await;
    assert!(fault.contains("closing quotation mark"), "{fault}");
}

#[tokio::test]
async fn store_that_is_away_is_said_to_be_and_comes_back() {
    let (mut client, vault) = Client::legacy().await;
    vault.set_unavailable(true);
    let fault = client
        .fault("search_notes", json!({ "query": "tomato" }))
        .await;
    assert!(fault.contains("the index is being rebuilt"), "{fault}");
    assert!(
        fault.contains("Wait a few seconds and call again"),
        "{fault}"
    );
    vault.set_unavailable(false);
    client
        .answer("search_notes", json!({ "query": "tomato" }))
        .await;
}

#[tokio::test]
async fn store_that_breaks_breaks_one_call_only() {
    let (mut client, vault) = Client::legacy().await;
    vault.break_down();
    let fault = client.fault("read_note", json!({ "ref": "Home" })).await;
    assert!(fault.contains("a fault of Crucible"), "{fault}");
    vault.repair();
    client.answer("read_note", json!({ "ref": "Home" })).await;
}

#[tokio::test(start_paused = true)]
async fn call_that_takes_too_long_is_given_up_with_advice() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let params = json!({ "name": "search_notes", "arguments": { "query": "tomato" } });
    let id = client.ask("tools/call", params).await;
    // Time is paused and moves on its own when nothing else can happen.
    let line = tokio::time::timeout(std::time::Duration::from_secs(60), client.receive_any()).await;
    let reply = line.expect("the call is given up");
    assert_eq!(
        (&reply["id"], &reply["result"]["isError"]),
        (&json!(id), &json!(true))
    );
    let text = reply["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("given up after 30 s"), "{text}");
    assert_eq!(vault.waiting.load(Ordering::SeqCst), 0);
    let _kept: Arc<Vault> = vault;
}
