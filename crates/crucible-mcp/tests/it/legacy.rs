//! The era of `initialize`, over pipes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::vault::Vault;
use crate::wire::{Client, initialize_params, service, soon, text, until};

#[tokio::test]
async fn handshake_names_the_server_and_the_vault() {
    let mut client = Client::new(service(&Arc::new(Vault::small())));
    let reply = client
        .request("initialize", initialize_params("2025-06-18"))
        .await;
    let result = &reply["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(result["serverInfo"]["name"], "crucible");
    assert!(result["capabilities"]["tools"].is_object());
    let instructions = result["instructions"].as_str().unwrap();
    assert!(instructions.contains("\"Test vault\""), "{instructions}");
    assert!(result.get("resultType").is_none(), "{result}");
}

#[tokio::test]
async fn every_old_revision_is_spoken_and_an_unknown_one_is_answered_with_the_newest() {
    let check = |asked: &'static str, answered: &'static str| async move {
        let mut client = Client::new(service(&Arc::new(Vault::small())));
        let reply = client.request("initialize", initialize_params(asked)).await;
        assert_eq!(reply["result"]["protocolVersion"], answered, "{asked}");
        client.notify("notifications/initialized", json!({})).await;
        let listed = client.request("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);
    };
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        check(version, version).await;
    }
    check("1999-01-01", "2025-11-25").await;
    check("2026-07-28", "2025-11-25").await;
    check("9999-12-31", "2025-11-25").await;
}

#[tokio::test]
async fn tools_are_listed_with_all_that_a_client_may_ask_for() {
    let (mut client, _vault) = Client::legacy().await;
    let reply = client.request("tools/list", json!({})).await;
    let tools = reply["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["search_notes", "read_note", "list_notes", "note_links"]
    );
    for tool in tools {
        assert!(tool["title"].is_string(), "{tool}");
        assert!(tool["description"].as_str().unwrap().len() > 60, "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["outputSchema"]["type"], "object");
        let expected = json!({
            "readOnlyHint": true,
            "destructiveHint": false,
            "idempotentHint": true,
            "openWorldHint": false,
        });
        assert_eq!(tool["annotations"], expected);
    }
    let bytes = reply["result"].to_string().len();
    assert!(bytes <= 8 * 1024, "tools/list has {bytes} bytes");
    let again = client.request("tools/list", json!({})).await;
    assert_eq!(again["result"], reply["result"]);
}

#[tokio::test]
async fn a_cursor_to_the_only_page_of_tools_is_refused() {
    let (mut client, _vault) = Client::legacy().await;
    let reply = client.request("tools/list", json!({ "cursor": "x" })).await;
    assert_eq!(reply["error"]["code"], -32602);
}

#[tokio::test]
async fn tool_answers_programs_and_models() {
    let (mut client, _vault) = Client::legacy().await;
    let result = client
        .call("search_notes", json!({ "query": "tomato soup" }))
        .await;
    assert_eq!(
        result["structuredContent"]["hits"][0]["path"],
        "Recipes/Index.md"
    );
    let text = text(&result);
    assert!(text.contains("Recipes/Index.md:2"), "{text}");
    assert!(text.contains("**Tomato** soup"), "{text}");
    assert!(result.get("resultType").is_none(), "{result}");
}

#[tokio::test]
async fn unknown_tool_is_a_protocol_error_that_names_the_likely_one() {
    let (mut client, _vault) = Client::legacy().await;
    let params = json!({ "name": "search_note", "arguments": {} });
    let reply = client.request("tools/call", params).await;
    assert_eq!(reply["error"]["code"], -32602);
    let message = reply["error"]["message"].as_str().unwrap();
    assert!(message.contains("did you mean search_notes?"), "{message}");
}

#[tokio::test]
async fn unknown_method_and_misshapen_parameters_have_their_codes() {
    let (mut client, _vault) = Client::legacy().await;
    for method in ["prompts/list", "prompts/get", "no/such", "logging/setLevel"] {
        let reply = client
            .request(method, json!({ "name": "x", "level": "info" }))
            .await;
        assert_eq!(reply["error"]["code"], -32601, "{method}: {reply}");
    }
    for params in [
        json!({}),
        json!({ "name": 5 }),
        json!({ "name": "read_note", "arguments": [] }),
    ] {
        let reply = client.request("tools/call", params.clone()).await;
        assert_eq!(reply["error"]["code"], -32602, "{params}: {reply}");
    }
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn call_that_is_taken_back_gets_no_answer_and_stops_working() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let params = json!({ "name": "read_note", "arguments": { "ref": "Home" } });
    let id = client.ask("tools/call", params).await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 1).await;
    client
        .notify(
            "notifications/cancelled",
            json!({ "requestId": id, "reason": "changed my mind" }),
        )
        .await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 0).await;
    // The next line is the answer to the next request, so there was none to the other.
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn calls_are_answered_as_they_end_and_not_in_order() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let slow = client
        .ask(
            "tools/call",
            json!({ "name": "read_note", "arguments": { "ref": "Home" } }),
        )
        .await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 1).await;
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
    vault.release();
    let reply = client.receive().await;
    assert_eq!(reply["id"], slow);
    assert_eq!(reply["result"]["structuredContent"]["path"], "Home.md");
}

#[tokio::test]
async fn at_the_end_of_the_input_calls_under_way_are_still_answered() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let id = client
        .ask(
            "tools/call",
            json!({ "name": "read_note", "arguments": { "ref": "Home" } }),
        )
        .await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 1).await;
    client.hang_up();
    vault.release();
    let reply = client.receive().await;
    assert_eq!(reply["id"], id);
    client.ended().await.unwrap();
}

#[tokio::test]
async fn end_of_the_input_ends_serving_before_and_after_the_handshake() {
    let mut silent = Client::new(service(&Arc::new(Vault::small())));
    silent.hang_up();
    silent.ended().await.unwrap();

    let (mut client, _vault) = Client::legacy().await;
    client.hang_up();
    client.ended().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelled_token_ends_serving_although_a_call_hangs() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let params = json!({ "name": "read_note", "arguments": { "ref": "Home" } });
    let _id = client.ask("tools/call", params).await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 1).await;
    client.token.cancel();
    client.ended().await.unwrap();

    let waiting = Client::new(service(&Arc::new(Vault::small())));
    waiting.token.cancel();
    soon(waiting.ended()).await.unwrap();
}

#[tokio::test]
async fn ids_may_be_text_and_a_pair_in_use_is_refused() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let call = json!({
        "jsonrpc": "2.0", "id": "one", "method": "tools/call",
        "params": { "name": "read_note", "arguments": { "ref": "Home" } },
    });
    client.send(&call).await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 1).await;
    client.send(&call).await;
    let refused = client.receive().await;
    assert_eq!(
        (&refused["id"], &refused["error"]["code"]),
        (&json!("one"), &json!(-32600))
    );
    vault.release();
    let reply = client.receive().await;
    assert_eq!(reply["id"], "one");
    assert_eq!(reply["result"]["isError"], Value::Bool(false));
}
