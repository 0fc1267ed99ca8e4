//! Notes as resources, and what clients are told of changes, in both eras.

use std::sync::Arc;

use async_trait::async_trait;
use crucible_mcp::McpService;
use crucible_services::events::{
    DaemonEvent, DatabaseEventType, EventPayload, EventPublisher, EventSource, EventType,
    ScriptEventType,
};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use serde_json::{Value, json};

use crate::http::HttpClient;
use crate::vault::Vault;
use crate::wire::{Client, MODERN, initialize_params, modern_params, service};

const GARDEN: &str = "crucible://note/Projects/Garden.md";

#[derive(Debug)]
struct NoListeners;

#[async_trait]
impl EventPublisher for NoListeners {
    async fn publish(&self, _event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        Ok(RoutingReceipt::default())
    }
}

/// A gateway that is told of events.
async fn started() -> (McpService, TaskOwner) {
    let service = service(&Arc::new(Vault::small()));
    let tasks = TaskOwner::new("mcp-gateway");
    let context = ServiceContext {
        tasks: tasks.clone(),
        events: Arc::new(NoListeners),
    };
    service.start(context).await.unwrap();
    (service, tasks)
}

fn event(event_type: EventType) -> DaemonEvent {
    DaemonEvent::new(
        event_type,
        EventSource::database("datastore"),
        EventPayload::text(""),
    )
}

async fn update(service: &McpService, path: &str) {
    let (table, id) = ("notes".to_owned(), path.to_owned());
    let event = event(EventType::Database(DatabaseEventType::RecordUpdated {
        table,
        id,
    }));
    assert!(
        service
            .subscriptions()
            .iter()
            .any(|filter| filter.matches(&event))
    );
    service.handle_event(&event).await.unwrap();
}

async fn create(service: &McpService, path: &str) {
    let (table, id) = ("notes".to_owned(), path.to_owned());
    let event = event(EventType::Database(DatabaseEventType::RecordCreated {
        table,
        id,
    }));
    service.handle_event(&event).await.unwrap();
}

async fn legacy(service: &McpService) -> Client {
    let mut client = Client::new(service.clone());
    let reply = client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    let capabilities = &reply["result"]["capabilities"];
    assert_eq!(capabilities["resources"]["subscribe"], true, "{reply}");
    assert_eq!(capabilities["tools"]["listChanged"], true, "{reply}");
    client.notify("notifications/initialized", json!({})).await;
    client
}

#[tokio::test]
async fn notes_are_listed_in_pages_and_read_whole() {
    let vault = Arc::new(Vault::small());
    for number in 0..150 {
        vault.write(&format!("Many/{number:03} ü.md"), "x\n");
    }
    let mut client = Client::new(service(&vault));
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    client.notify("notifications/initialized", json!({})).await;
    let first = client.request("resources/list", json!({})).await["result"].clone();
    assert_eq!(first["resources"].as_array().unwrap().len(), 100);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = client
        .request("resources/list", json!({ "cursor": cursor }))
        .await["result"]
        .clone();
    assert_eq!(second["resources"].as_array().unwrap().len(), 54);
    assert!(
        second.get("nextCursor").is_none_or(Value::is_null),
        "{second}"
    );
    let resource = &first["resources"][1];
    assert_eq!(resource["uri"], "crucible://note/Many/000%20%C3%BC.md");
    assert_eq!(resource["mimeType"], "text/markdown");
    let read = client
        .request("resources/read", json!({ "uri": resource["uri"] }))
        .await;
    let contents = &read["result"]["contents"][0];
    assert_eq!(contents["text"], "x\n");
    assert_eq!(
        contents["_meta"]["crucible/hash"].as_str().unwrap().len(),
        64
    );
    let templates = client.request("resources/templates/list", json!({})).await;
    let template = &templates["result"]["resourceTemplates"][0]["uriTemplate"];
    assert_eq!(template, "crucible://note/{+path}");
    for uri in [
        "crucible://note/Garden",
        "crucible://note/../x",
        "file:///etc/passwd",
        "x",
    ] {
        let reply = client
            .request("resources/read", json!({ "uri": uri }))
            .await;
        assert!(reply["error"]["code"].is_i64(), "{uri}: {reply}");
    }
}

#[tokio::test]
async fn a_legacy_client_is_told_of_what_it_subscribed_to() {
    let (service, _tasks) = started().await;
    let mut client = legacy(&service).await;
    let reply = client
        .request("resources/subscribe", json!({ "uri": GARDEN }))
        .await;
    assert!(reply["result"].is_object(), "{reply}");
    update(&service, "Home.md").await;
    update(&service, "Projects/Garden.md").await;
    let told = client.receive().await;
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], GARDEN);
    client
        .request("resources/unsubscribe", json!({ "uri": GARDEN }))
        .await;
    update(&service, "Projects/Garden.md").await;
    create(&service, "New.md").await;
    let told = client.receive().await;
    assert_eq!(told["method"], "notifications/resources/list_changed");
    let reply = client
        .request("resources/subscribe", json!({ "uri": "x" }))
        .await;
    assert!(reply["error"]["code"].is_i64(), "{reply}");
}

#[tokio::test]
async fn a_legacy_client_is_told_that_there_are_other_tools() {
    #[derive(Debug)]
    struct Nothing;
    #[async_trait]
    impl crucible_services::mcp::ToolProvider for Nothing {
        async fn provided_tools(&self) -> Vec<crucible_services::mcp::ToolDescriptor> {
            Vec::new()
        }
        async fn call_provided(
            &self,
            name: &str,
            _arguments: Value,
            _caller: crucible_services::mcp::ToolCaller,
        ) -> Result<Value, crucible_services::mcp::Error> {
            Err(crucible_services::mcp::Error::UnknownTool(name.to_owned()))
        }
    }
    let (service, _tasks) = started().await;
    let service = service.with_tools(Arc::new(Nothing));
    let mut client = legacy(&service).await;
    client.request("ping", json!({})).await;
    let loaded = ScriptEventType::Loaded {
        script: "weekly".to_owned(),
        version: "1".to_owned(),
    };
    service
        .handle_event(&event(EventType::Script(loaded)))
        .await
        .unwrap();
    let told = client.receive().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_modern_client_listens_for_what_it_names() {
    let (service, _tasks) = started().await;
    let mut client = Client::new(service.clone());
    let wanted = json!({
        "notifications": {
            "resourceSubscriptions": [GARDEN, "file:///x"],
            "resourcesListChanged": true,
            "promptsListChanged": true,
        },
    });
    let id = client
        .ask("subscriptions/listen", modern_params(MODERN, wanted))
        .await;
    let acknowledged = client.receive().await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    let accepted = &acknowledged["params"]["notifications"];
    assert_eq!(
        accepted["resourceSubscriptions"],
        json!([GARDEN]),
        "{acknowledged}"
    );
    assert_eq!(accepted["resourcesListChanged"], true);
    assert!(
        accepted.get("promptsListChanged").is_none(),
        "{acknowledged}"
    );
    crate::wire::until(|| subscribers(&service) == 1).await;
    update(&service, "Home.md").await;
    update(&service, "Projects/Garden.md").await;
    let told = client.receive().await;
    assert_eq!(told["method"], "notifications/resources/updated", "{told}");
    assert_eq!(told["params"]["uri"], GARDEN);
    assert_eq!(
        told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        id
    );
    create(&service, "New.md").await;
    let told = client.receive().await;
    assert_eq!(told["method"], "notifications/resources/list_changed");
}

fn subscribers(service: &McpService) -> u64 {
    let health = futures_util::FutureExt::now_or_never(service.health_check());
    health
        .and_then(Result::ok)
        .and_then(|health| health.details.get("subscribers").and_then(Value::as_u64))
        .unwrap_or(0)
}

#[tokio::test]
async fn a_stream_over_http_carries_updates() {
    use futures_util::StreamExt as _;
    use tower::ServiceExt as _;
    let (service, _tasks) = started().await;
    let params = json!({ "notifications": { "resourceSubscriptions": [GARDEN] } });
    let message = json!({
        "jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen",
        "params": modern_params(MODERN, params),
    });
    let request = axum::http::Request::post("/mcp")
        .header("host", "127.0.0.1:1")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "subscriptions/listen")
        .body(axum::body::Body::from(message.to_string()))
        .unwrap();
    let response = service.http_service().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body().into_data_stream();
    let mut seen = String::new();
    while !seen.contains("notifications/subscriptions/acknowledged") {
        let piece = crate::wire::soon(body.next()).await.unwrap().unwrap();
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    crate::wire::until(|| subscribers(&service) == 1).await;
    update(&service, "Projects/Garden.md").await;
    while !seen.contains("notifications/resources/updated") {
        let piece = crate::wire::soon(body.next()).await.unwrap().unwrap();
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(seen.contains(GARDEN), "{seen}");
    drop(body);
    crate::wire::until(|| subscribers(&service) == 0).await;
}

#[tokio::test]
async fn a_gateway_that_hears_of_no_events_promises_none() {
    let mut client = Client::new(service(&Arc::new(Vault::small())));
    let reply = client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    let capabilities = &reply["result"]["capabilities"];
    assert!(capabilities["resources"].is_object(), "{reply}");
    assert!(
        capabilities["resources"].get("subscribe").is_none(),
        "{reply}"
    );
    client.notify("notifications/initialized", json!({})).await;
    let reply = client
        .request("resources/subscribe", json!({ "uri": GARDEN }))
        .await;
    assert!(
        reply["error"]["message"]
            .as_str()
            .unwrap()
            .contains("not told"),
        "{reply}"
    );
    let http = HttpClient::new();
    let listed = http
        .modern("resources/list", json!({}), &[])
        .await
        .message();
    assert_eq!(listed["result"]["resources"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_client_that_subscribes_before_it_is_known_to_be_ready_is_told_all_the_same() {
    let (service, _tasks) = started().await;
    let mut client = Client::new(service.clone());
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    let reply = client
        .request("resources/subscribe", json!({ "uri": GARDEN }))
        .await;
    assert!(reply["result"].is_object(), "{reply}");
    client.notify("notifications/initialized", json!({})).await;
    client.request("ping", json!({})).await;
    assert_eq!(subscribers(&service), 1);
    update(&service, "Projects/Garden.md").await;
    let told = client.receive().await;
    assert_eq!(told["params"]["uri"], GARDEN, "{told}");
}

#[tokio::test]
async fn a_session_over_http_is_told_on_its_own_stream_until_it_is_deleted() {
    use futures_util::StreamExt as _;
    use tower::ServiceExt as _;
    let (service, _tasks) = started().await;
    let client = HttpClient(service.http_service());
    let session = crate::http_legacy::open(&client).await;
    let headers = crate::http_legacy::in_session(&session);
    let request = axum::http::Request::get("/mcp")
        .header("host", "127.0.0.1:1")
        .header("accept", "text/event-stream")
        .header(headers[0].0, headers[0].1)
        .header(headers[1].0, headers[1].1)
        .body(axum::body::Body::empty())
        .unwrap();
    let response = service.http_service().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body().into_data_stream();
    let subscribe = json!({
        "jsonrpc": "2.0", "id": 5, "method": "resources/subscribe", "params": { "uri": GARDEN },
    });
    let reply = client.post(&headers, &subscribe).await;
    assert!(reply.message()["result"].is_object(), "{reply:?}");
    update(&service, "Projects/Garden.md").await;
    let mut seen = String::new();
    while !seen.contains("notifications/resources/updated") {
        let piece = crate::wire::soon(body.next()).await.unwrap().unwrap();
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(seen.contains(GARDEN), "{seen}");

    let delete = axum::http::Method::DELETE;
    let ended = client.send(delete, &headers, String::new()).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    while let Some(piece) = crate::wire::soon(body.next()).await {
        piece.unwrap();
    }
    crate::wire::until(|| subscribers(&service) == 0).await;
}
