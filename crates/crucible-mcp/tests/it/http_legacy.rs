//! Streamable HTTP in the era of sessions.

use std::sync::Arc;

use axum::http::Method;
use crucible_mcp::{McpConfig, McpService};
use serde_json::{Value, json};

use crate::http::HttpClient;
use crate::vault::Vault;
use crate::wire::initialize_params;

const VERSION: &str = "2025-11-25";

fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params(VERSION),
    })
}

fn list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })
}

/// Opens a session and returns its id.
pub(crate) async fn open(client: &HttpClient) -> String {
    let reply = client.post(&[], &initialize()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.message()["result"]["protocolVersion"], VERSION);
    let session = reply.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let reply = client.post(&in_session(&session), &initialized).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    session
}

pub(crate) fn in_session(session: &str) -> [(&str, &str); 2] {
    [
        ("mcp-session-id", session),
        ("mcp-protocol-version", VERSION),
    ]
}

#[tokio::test]
async fn session_serves_until_it_is_ended() {
    let client = HttpClient::new();
    let session = open(&client).await;
    let headers = in_session(&session);
    let listed = client.post(&headers, &list()).await.message();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);
    let call = json!({
        "jsonrpc": "2.0", "id": 3, "method": "tools/call",
        "params": { "name": "read_note", "arguments": { "ref": "Home" } },
    });
    let called = client.post(&headers, &call).await.message();
    assert_eq!(called["result"]["structuredContent"]["path"], "Home.md");

    let ended = client.send(Method::DELETE, &headers, String::new()).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    assert_eq!(client.post(&headers, &list()).await.status, 404);
    let again = client.send(Method::DELETE, &headers, String::new()).await;
    assert_eq!(again.status, 404, "{again:?}");
}

#[tokio::test]
async fn sessions_have_ids_that_nobody_guesses() {
    let client = HttpClient::new();
    let (first, second) = (open(&client).await, open(&client).await);
    assert_ne!(first, second);
    assert!(
        first.len() >= 32 && first.bytes().all(|byte| byte.is_ascii_graphic()),
        "{first}"
    );
}

#[tokio::test]
async fn request_outside_a_session_is_refused() {
    let client = HttpClient::new();
    assert_eq!(client.post(&[], &list()).await.status, 400);
    assert_eq!(
        client.post(&in_session("no-such"), &list()).await.status,
        404
    );
    let get = client
        .send(Method::GET, &in_session("no-such"), String::new())
        .await;
    assert_eq!(get.status, 404, "{get:?}");
    let get = client.send(Method::GET, &[], String::new()).await;
    assert_eq!(get.status, 400, "{get:?}");
    let unknown = [
        ("mcp-session-id", "x"),
        ("mcp-protocol-version", "1999-01-01"),
    ];
    assert_eq!(client.post(&unknown, &list()).await.status, 400);
}

#[tokio::test]
async fn foreign_page_opens_no_session() {
    let client = HttpClient::new();
    for header in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let reply = client.post(&[header], &initialize()).await;
        assert_eq!(reply.status, 403, "{reply:?}");
        assert!(reply.headers.get("mcp-session-id").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn one_session_too_many_ends_the_one_that_was_used_the_longest_ago() {
    let mut config = McpConfig::new("Test vault");
    config.sessions_max = 2;
    let service = McpService::new(config, Arc::new(Vault::small()));
    let client = HttpClient(service.http_service());
    let mut sessions = Vec::new();
    for _ in 0..2 {
        sessions.push(open(&client).await);
        tokio::time::advance(std::time::Duration::from_millis(10)).await;
    }
    // The first is used again, so that the second is the one to go.
    assert_eq!(
        client.post(&in_session(&sessions[0]), &list()).await.status,
        200
    );
    tokio::time::advance(std::time::Duration::from_millis(10)).await;
    let third = open(&client).await;
    assert_eq!(
        client.post(&in_session(&sessions[0]), &list()).await.status,
        200
    );
    assert_eq!(
        client.post(&in_session(&sessions[1]), &list()).await.status,
        404
    );
    assert_eq!(client.post(&in_session(&third), &list()).await.status, 200);
}
