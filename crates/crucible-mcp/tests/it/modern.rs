//! The era in which every request stands alone, over pipes.

use std::sync::Arc;

use serde_json::json;

use crate::vault::Vault;
use crate::wire::{Client, MODERN, initialize_params, modern_params, service};

fn client() -> Client {
    Client::new(service(&Arc::new(Vault::small())))
}

#[tokio::test]
async fn discovery_tells_versions_capabilities_and_the_vault() {
    let reply = client()
        .request("server/discover", modern_params(MODERN, json!({})))
        .await;
    let result = &reply["result"];
    assert_eq!(result["resultType"], "complete");
    let versions = result["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)), "{versions:?}");
    assert!(result["capabilities"]["tools"].is_object());
    assert!(
        result["instructions"]
            .as_str()
            .unwrap()
            .contains("\"Test vault\"")
    );
    assert!(
        result["ttlMs"].is_u64() && result["cacheScope"].is_string(),
        "{result}"
    );
    let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(server["name"], "crucible", "{result}");
}

#[tokio::test]
async fn calls_need_no_handshake() {
    let mut client = client();
    let listed = client
        .request("tools/list", modern_params(MODERN, json!({})))
        .await;
    assert_eq!(listed["result"]["resultType"], "complete");
    assert!(listed["result"]["ttlMs"].is_u64(), "{listed}");
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);
    let params = json!({ "name": "read_note", "arguments": { "ref": "Start" } });
    let read = client
        .request("tools/call", modern_params(MODERN, params))
        .await;
    assert_eq!(
        read["result"]["structuredContent"]["path"], "Home.md",
        "{read}"
    );
    assert_eq!(read["result"]["resultType"], "complete");
}

#[tokio::test]
async fn after_discovery_either_era_may_follow() {
    let mut modern = client();
    modern
        .request("server/discover", modern_params(MODERN, json!({})))
        .await;
    let listed = modern
        .request("tools/list", modern_params(MODERN, json!({})))
        .await;
    assert!(listed["result"]["tools"].is_array());

    let mut legacy = client();
    legacy
        .request("server/discover", modern_params(MODERN, json!({})))
        .await;
    let reply = legacy
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
    let listed = legacy.request("tools/list", json!({})).await;
    assert!(listed["result"]["tools"].is_array());
}

#[tokio::test]
async fn unknown_revision_is_refused_with_the_known_ones() {
    let mut client = client();
    for method in ["server/discover", "tools/list"] {
        let reply = client
            .request(method, modern_params("2099-01-01", json!({})))
            .await;
        assert_eq!(reply["error"]["code"], -32022, "{method}: {reply}");
        let supported = reply["error"]["data"]["supported"].as_array().unwrap();
        assert!(supported.contains(&json!(MODERN)), "{reply}");
    }
}

#[tokio::test]
async fn request_without_what_each_must_carry_is_refused() {
    let mut client = client();
    let reply = client.request("tools/list", json!({})).await;
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
    let partial = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": MODERN } });
    let reply = client.request("tools/list", partial).await;
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
    let message = reply["error"]["message"].as_str().unwrap();
    assert!(message.contains("clientCapabilities"), "{message}");
}

#[tokio::test]
async fn what_the_era_has_removed_is_unknown() {
    let mut client = client();
    client
        .request("tools/list", modern_params(MODERN, json!({})))
        .await;
    for method in ["ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        let params = json!({ "uri": "x", "level": "info" });
        let reply = client.request(method, modern_params(MODERN, params)).await;
        assert_eq!(reply["error"]["code"], -32601, "{method}: {reply}");
    }
}
