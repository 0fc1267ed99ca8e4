//! Streamable HTTP in the modern era, and what guards the door in both.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use crucible_mcp::HttpService;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::vault::Vault;
use crate::wire::{MODERN, modern_params, service, soon};

/// A client that opens no socket.
pub(crate) struct HttpClient(pub(crate) HttpService);

impl HttpClient {
    pub(crate) fn new() -> Self {
        Self(service(&Arc::new(Vault::small())).http_service())
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        headers: &[(&str, &str)],
        body: String,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri("/mcp");
        let has = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        for (name, value) in [
            ("host", "127.0.0.1:8321"),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ] {
            if !has(name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = soon(self.0.clone().oneshot(request)).await.unwrap();
        Reply::read(response).await
    }

    pub(crate) async fn post(&self, headers: &[(&str, &str)], message: &Value) -> Reply {
        self.send(Method::POST, headers, message.to_string()).await
    }

    /// Sends a request of the modern era with the headers that go with it.
    pub(crate) async fn modern(
        &self,
        method: &str,
        params: Value,
        extra: &[(&str, &str)],
    ) -> Reply {
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": method, "params": modern_params(MODERN, params),
        });
        let name = message["params"]["name"].as_str().unwrap_or_default();
        let mut headers = vec![
            ("mcp-protocol-version", MODERN),
            ("mcp-method", method),
            ("mcp-name", name),
        ];
        headers.retain(|(header, _)| extra.iter().all(|(given, _)| given != header));
        headers.extend(extra);
        self.post(&headers, &message).await
    }
}

/// A response whose body has been read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = soon(axum::body::to_bytes(body, 16 * 1024 * 1024))
            .await
            .unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Returns the one JSON-RPC message in the body, whichever form it has.
    pub(crate) fn message(&self) -> Value {
        let is_stream = self.headers["content-type"] == "text/event-stream";
        let data = if is_stream {
            let mut lines = self
                .body
                .lines()
                .filter_map(|line| line.strip_prefix("data:"));
            lines
                .find(|data| !data.trim().is_empty())
                .unwrap_or_default()
        } else {
            &self.body
        };
        serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[tokio::test]
async fn one_request_is_a_whole_conversation() {
    let client = HttpClient::new();
    let discovered = client.modern("server/discover", json!({}), &[]).await;
    assert_eq!(discovered.status, 200, "{discovered:?}");
    assert!(discovered.message()["result"]["supportedVersions"].is_array());
    let listed = client.modern("tools/list", json!({}), &[]).await.message();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);
    let params = json!({ "name": "search_notes", "arguments": { "query": "tomato" } });
    let called = client.modern("tools/call", params, &[]).await;
    assert!(called.headers.get("mcp-session-id").is_none(), "{called:?}");
    let result = &called.message()["result"];
    assert_eq!(
        result["structuredContent"]["hits"][0]["path"],
        "Projects/Garden.md"
    );
    assert_eq!(result["resultType"], "complete");
}

#[tokio::test]
async fn headers_that_contradict_the_body_are_refused() {
    let client = HttpClient::new();
    let call = || json!({ "name": "list_notes", "arguments": {} });
    for extra in [
        [("mcp-method", "tools/list")],
        [("mcp-name", "read_note")],
        [("mcp-protocol-version", "2025-11-25")],
        [("mcp-method", "")],
    ] {
        let reply = client.modern("tools/call", call(), &extra).await;
        assert_eq!(reply.status, 400, "{extra:?}: {reply:?}");
        assert_eq!(
            reply.message()["error"]["code"],
            -32020,
            "{extra:?}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn unknown_revision_and_method_have_their_status_and_code() {
    let client = HttpClient::new();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": modern_params("2099-01-01", json!({})),
    });
    let headers = [
        ("mcp-protocol-version", "2099-01-01"),
        ("mcp-method", "tools/list"),
    ];
    let reply = client.post(&headers, &message).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.message()["error"]["code"]),
        (400, &json!(-32022))
    );
    let reply = client.modern("no/such", json!({}), &[]).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.message()["error"]["code"]),
        (404, &json!(-32601))
    );
    let reply = client
        .modern("tools/call", json!({ "name": "no_such" }), &[])
        .await;
    assert_eq!(reply.message()["error"]["code"], -32602, "{reply:?}");
}

#[tokio::test]
async fn only_post_is_part_of_the_modern_era() {
    let client = HttpClient::new();
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let headers = [("mcp-protocol-version", MODERN), ("mcp-session-id", "x")];
        let reply = client.send(method.clone(), &headers, String::new()).await;
        assert_eq!(reply.status, 405, "{method}: {reply:?}");
    }
}

#[tokio::test]
async fn foreign_hosts_are_refused_whatever_they_ask() {
    let client = HttpClient::new();
    for host in [
        "evil.example",
        "localhost.evil.example:8321",
        "10.0.0.1",
        "0.0.0.0",
    ] {
        let reply = client
            .modern("tools/list", json!({}), &[("host", host)])
            .await;
        assert_eq!(reply.status, 403, "{host}: {reply:?}");
        let reply = client
            .send(Method::GET, &[("host", host)], String::new())
            .await;
        assert_eq!(reply.status, 403, "{host}: {reply:?}");
    }
    let reply = client
        .modern("tools/list", json!({}), &[("host", "")])
        .await;
    assert_eq!(reply.status, 400, "{reply:?}");
    for host in ["localhost", "localhost:1", "127.0.0.1:65535", "[::1]:8321"] {
        let reply = client
            .modern("tools/list", json!({}), &[("host", host)])
            .await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let client = HttpClient::new();
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example:80",
        "file://",
    ] {
        let reply = client
            .modern("tools/list", json!({}), &[("origin", origin)])
            .await;
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }
    for origin in [
        "http://localhost:8321",
        "http://127.0.0.1",
        "http://[::1]:3000",
    ] {
        let reply = client
            .modern("tools/list", json!({}), &[("origin", origin)])
            .await;
        assert_eq!(reply.status, 200, "{origin}: {reply:?}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_message_are_refused_with_the_reason() {
    let client = HttpClient::new();
    for (body, code) in [
        ("", -32700),
        ("{\"jsonrpc\":", -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
    ] {
        let reply = client.send(Method::POST, &[], body.to_owned()).await;
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert_eq!(reply.message()["error"]["code"], code, "{body}: {reply:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(client.send(Method::POST, &[], deep).await.status, 400);
    let big = "x".repeat(2 * 1024 * 1024);
    assert_eq!(client.send(Method::POST, &[], big).await.status, 413);
}

#[tokio::test]
async fn wrong_media_types_have_their_status() {
    let client = HttpClient::new();
    let reply = client
        .modern("tools/list", json!({}), &[("content-type", "text/plain")])
        .await;
    assert_eq!(reply.status, 415, "{reply:?}");
    let reply = client
        .modern("tools/list", json!({}), &[("accept", "application/json")])
        .await;
    assert_eq!(reply.status, 406, "{reply:?}");
}

#[tokio::test]
async fn gateway_is_reached_through_the_routers_of_others() {
    let service = HttpClient::new().0;
    let routed = axum::Router::new().route_service("/mcp", service.clone());
    let inner = axum::Router::new().fallback_service(service);
    let nested = axum::Router::new().nest_service("/mcp", inner);
    for router in [routed, nested] {
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/list",
            "params": modern_params(MODERN, json!({})),
        });
        let request = Request::post("/mcp")
            .header("host", "localhost:8321")
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/list")
            .body(Body::from(message.to_string()))
            .unwrap();
        let reply = Reply::read(soon(router.oneshot(request)).await.unwrap()).await;
        assert_eq!(
            reply.message()["result"]["tools"].as_array().unwrap().len(),
            4
        );
    }
}
