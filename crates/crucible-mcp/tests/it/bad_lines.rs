//! Lines that no client should write.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::vault::Vault;
use crate::wire::{Client, initialize_params, service, until};

/// Sends a line and fails unless it is answered with this error and the connection lives on.
async fn check(client: &mut Client, line: &str, code: i64) {
    client.send_line(line).await;
    let reply = client.receive().await;
    assert_eq!(reply["error"]["code"], code, "{line:.80}: {reply}");
    assert!(reply["id"].is_null(), "{reply}");
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn what_is_no_message_is_answered_and_survived() {
    let (mut client, _vault) = Client::legacy().await;
    check(&mut client, "hello", -32700).await;
    check(&mut client, "{\"jsonrpc\":\"2.0\",", -32700).await;
    check(&mut client, "\u{0}\u{1}", -32700).await;
    check(&mut client, &"[".repeat(10_000), -32700).await;
    check(&mut client, "null", -32600).await;
    check(&mut client, "42", -32600).await;
    check(&mut client, "{}", -32600).await;
    check(
        &mut client,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        -32600,
    )
    .await;
    check(
        &mut client,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        -32600,
    )
    .await;
}

#[tokio::test]
async fn batch_is_refused_with_the_reason() {
    let (mut client, _vault) = Client::legacy().await;
    check(
        &mut client,
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        -32600,
    )
    .await;
    check(&mut client, "[]", -32600).await;
}

#[tokio::test]
async fn line_that_is_too_long_is_skipped_to_its_end() {
    let (mut client, _vault) = Client::legacy().await;
    let long = json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "read_note", "arguments": { "ref": "x".repeat(2 * 1024 * 1024) } },
    });
    check(&mut client, &long.to_string(), -32600).await;
    check(&mut client, &"x".repeat(3 * 1024 * 1024), -32600).await;
}

#[tokio::test]
async fn empty_lines_and_unknown_notifications_are_passed_over() {
    let (mut client, _vault) = Client::legacy().await;
    for line in [
        "",
        "  \r",
        r#"{"jsonrpc":"2.0","method":"notifications/no_such"}"#,
        r#"{"jsonrpc":"2.0","method":"$/setTrace","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":5}"#,
        r#"{"jsonrpc":"2.0","id":99,"result":{}}"#,
    ] {
        client.send_line(line).await;
        assert_eq!(
            client.request("ping", json!({})).await["result"],
            json!({}),
            "{line}"
        );
    }
}

#[tokio::test]
async fn nothing_before_the_handshake_keeps_it_from_happening() {
    let mut client = Client::new(service(&Arc::new(Vault::small())));
    client.notify("notifications/initialized", json!({})).await;
    client
        .notify("notifications/cancelled", json!({ "requestId": 1 }))
        .await;
    client
        .send_line(r#"{"jsonrpc":"2.0","id":99,"result":{}}"#)
        .await;
    check(&mut client, "hello", -32700).await;
    let misshapen = client
        .request("initialize", json!({ "protocolVersion": 5 }))
        .await;
    assert_eq!(misshapen["error"]["code"], -32602, "{misshapen}");
    let unknown = client.request("no/such", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
    let reply = client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn windows_line_ends_and_a_last_line_without_end_are_read() {
    let vault = Arc::new(Vault::small());
    let mut client = Client::new(service(&vault));
    let open = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params("2025-11-25"),
    });
    client.send_line(&format!("{open}\r")).await;
    assert_eq!(client.receive().await["id"], 1);
    client
        .send_bytes(br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#)
        .await;
    client.hang_up();
    assert_eq!(client.receive().await["id"], 2);
    client.ended().await.unwrap();
}

#[tokio::test]
async fn too_many_calls_are_refused_until_some_have_ended() {
    let (mut client, vault) = Client::legacy().await;
    vault.stall();
    let call = json!({ "name": "read_note", "arguments": { "ref": "Home" } });
    for _ in 0..64 {
        client.ask("tools/call", call.clone()).await;
    }
    until(|| vault.waiting.load(Ordering::SeqCst) == 64).await;
    let refused = client.request("tools/call", call.clone()).await;
    assert_eq!(refused["result"]["isError"], true);
    let text = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("64 calls are in flight"), "{text}");
    vault.release();
    let mut answered: Vec<Value> = Vec::new();
    for _ in 0..64 {
        answered.push(client.receive().await["result"]["isError"].clone());
    }
    assert!(answered.iter().all(|is_error| *is_error == false));
    assert_eq!(
        client.call("read_note", json!({ "ref": "Home" })).await["isError"],
        false
    );
}

#[tokio::test(start_paused = true)]
async fn client_that_reads_no_answers_is_read_no_further_and_loses_none() {
    let (mut client, _vault) = Client::legacy().await;
    assert_eq!(client.flood("tools/list", 5000).await, 5000);
}

#[tokio::test]
async fn broken_messages_of_all_sorts_are_survived() {
    let (mut client, _vault) = Client::legacy().await;
    let whole = json!({
        "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {
            "name": "search_notes",
            "arguments": { "query": "tomato", "limit": 3, "tags": ["a"] },
            "_meta": { "progressToken": 1 },
        },
    })
    .to_string();
    let mut random = Random(20_261_124);
    for round in 0..2_000 {
        let mut line = whole.clone().into_bytes();
        for _ in 0..=random.below(3) {
            if line.len() < 2 {
                break;
            }
            let at = random.below(line.len());
            match random.below(4) {
                0 => line[at] = b" \"{}[]:,0-x\\\xff"[random.below(13)],
                1 => drop(line.remove(at)),
                2 => line.truncate(at.max(1)),
                _ => line.insert(at, line[random.below(line.len())]),
            }
        }
        line.retain(|byte| *byte != b'\n');
        line.push(b'\n');
        client.send_bytes(&line).await;
        client
            .send(&json!({ "jsonrpc": "2.0", "id": round.to_string(), "method": "ping" }))
            .await;
        let id = json!(round.to_string());
        while client.receive().await["id"] != id {}
    }
}

/// A fixed sequence of numbers (Numerical Recipes' generator).
struct Random(u32);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % bound
    }
}
