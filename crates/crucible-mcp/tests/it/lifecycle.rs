//! The gateway as a service: start, stop, health, events, and calls from inside the daemon.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::Method;
use crucible_mcp::McpService;
use crucible_services::events::{DaemonEvent, EventPublisher, EventType, McpEventType};
use crucible_services::health::HealthStatus;
use crucible_services::mcp::{Error, McpGateway as _};
use crucible_services::router::{RouteError, RoutingReceipt};
use crucible_services::service_traits::{ServiceContext, ServiceKind, ServiceLifecycle as _};
use crucible_services::tasks::TaskOwner;
use serde_json::json;

use crate::http::HttpClient;
use crate::vault::Vault;
use crate::wire::{Client, initialize_params, service, until};

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<DaemonEvent>>);

#[async_trait]
impl EventPublisher for Recorder {
    async fn publish(&self, event: DaemonEvent) -> Result<RoutingReceipt, RouteError> {
        self.0.lock().unwrap().push(event);
        Ok(RoutingReceipt::default())
    }
}

impl Recorder {
    fn names(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        events
            .iter()
            .map(|event| event.event_type.name().into_owned())
            .collect()
    }
}

async fn started(vault: &Arc<Vault>) -> (McpService, Arc<Recorder>, TaskOwner) {
    let service = service(vault);
    let recorder = Arc::new(Recorder::default());
    let tasks = TaskOwner::new("mcp-gateway");
    service.start(context(&tasks, &recorder)).await.unwrap();
    (service, recorder, tasks)
}

fn context(tasks: &TaskOwner, recorder: &Arc<Recorder>) -> ServiceContext {
    ServiceContext {
        tasks: tasks.clone(),
        events: recorder.clone(),
    }
}

#[tokio::test]
async fn service_says_what_it_is() {
    let service = service(&Arc::new(Vault::small()));
    assert_eq!(service.name(), "mcp-gateway");
    assert_eq!(service.kind(), ServiceKind::McpGateway);
    assert_eq!(service.dependencies(), ["datastore"]);
    let versions = service.protocol_versions();
    assert_eq!(versions.first().map(String::as_str), Some("2026-07-28"));
    assert!(versions.contains(&"2024-11-05".to_owned()));
}

#[tokio::test]
async fn calls_are_told_with_their_causes_and_without_what_they_were_about() {
    let vault = Arc::new(Vault::small());
    let (service, recorder, _tasks) = started(&vault).await;
    let mut client = Client::new(service);
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    client
        .call("search_notes", json!({ "query": "tomato" }))
        .await;
    client
        .call("read_note", json!({ "ref": "tomato-secret" }))
        .await;
    client.hang_up();
    client.ended().await.unwrap();
    let expected = [
        "mcp.client_connected",
        "mcp.tool_call",
        "mcp.tool_response",
        "mcp.tool_call",
        "mcp.tool_error",
        "mcp.client_disconnected",
    ];
    until(|| recorder.names() == expected).await;
    let events = recorder.0.lock().unwrap();
    for event in events.iter() {
        let told = serde_json::to_string(event).unwrap().to_lowercase();
        assert!(!told.contains("tomato"), "{told}");
        assert!(
            told.contains("test-client") && told.contains("stdio"),
            "{told}"
        );
    }
    assert_eq!(events[2].metadata.causation_id, Some(events[1].id));
    assert_eq!(events[4].metadata.causation_id, Some(events[3].id));
    let EventType::Mcp(McpEventType::ToolError { tool_name, error }) = &events[4].event_type else {
        panic!("{:?}", events[4]);
    };
    assert_eq!(
        (tool_name.as_str(), error.as_str()),
        ("read_note", "nothing has the name asked for")
    );
}

#[tokio::test]
async fn http_clients_are_told_too() {
    let vault = Arc::new(Vault::small());
    let (service, recorder, _tasks) = started(&vault).await;
    let client = HttpClient(service.http_service());
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params("2025-06-18"),
    });
    let reply = client.post(&[], &initialize).await;
    let session = reply.headers["mcp-session-id"].to_str().unwrap().to_owned();
    until(|| recorder.names() == ["mcp.client_connected"]).await;
    let headers = [("mcp-session-id", session.as_str())];
    client.send(Method::DELETE, &headers, String::new()).await;
    until(|| {
        recorder
            .names()
            .last()
            .is_some_and(|name| name == "mcp.client_disconnected")
    })
    .await;
}

#[tokio::test]
async fn stopped_gateway_refuses_and_starts_again() {
    let vault = Arc::new(Vault::small());
    let (service, recorder, tasks) = started(&vault).await;
    let mut client = Client::new(service.clone());
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    let http = HttpClient(service.http_service());

    service.stop().await.unwrap();
    tasks.shutdown(Duration::from_secs(5)).await.unwrap();
    let fault = client.fault("list_notes", json!({})).await;
    assert!(fault.contains("stopping or restarting"), "{fault}");
    let reply = http.send(Method::POST, &[], "{}".to_owned()).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.headers.contains_key("retry-after"));

    let tasks = TaskOwner::new("mcp-gateway");
    service.start(context(&tasks, &recorder)).await.unwrap();
    client.answer("list_notes", json!({})).await;
    assert_eq!(
        http.send(Method::POST, &[], "{}".to_owned()).await.status,
        400
    );
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_calls_and_cancels_those_that_hang() {
    let vault = Arc::new(Vault::small());
    let (service, _recorder, _tasks) = started(&vault).await;
    let mut client = Client::new(service.clone());
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    vault.stall();
    let call = json!({ "name": "read_note", "arguments": { "ref": "Home" } });
    let id = client.ask("tools/call", call).await;
    until(|| vault.waiting.load(Ordering::SeqCst) == 1).await;
    service.stop().await.unwrap();
    let reply = client.receive().await;
    assert_eq!(
        (&reply["id"], &reply["result"]["isError"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(vault.waiting.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_store() {
    let vault = Arc::new(Vault::small());
    let service = service(&vault);
    let health = service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy);
    assert_eq!(health.details["notes"], 4);
    vault.set_unavailable(true);
    let health = service.health_check().await.unwrap();
    assert_eq!(health.status, HealthStatus::Degraded);
    assert!(
        health
            .message
            .unwrap()
            .contains("the index is being rebuilt")
    );
    vault.set_unavailable(false);
    vault.stall();
    let health = service.health_check().await.unwrap();
    assert!(
        health
            .message
            .unwrap()
            .contains("did not answer within 3 s")
    );
}

#[tokio::test]
async fn daemon_calls_the_same_tools_with_the_same_checks() {
    let service = service(&Arc::new(Vault::small()));
    let names: Vec<_> = service
        .tools()
        .await
        .unwrap()
        .into_iter()
        .map(|tool| tool.name)
        .collect();
    assert_eq!(
        names,
        ["search_notes", "read_note", "list_notes", "note_links"]
    );
    let answer = service
        .call_tool("read_note", json!({ "ref": "Home" }))
        .await
        .unwrap();
    assert_eq!(answer["path"], "Home.md");
    let check = |name: &'static str, arguments| {
        let service = service.clone();
        async move { service.call_tool(name, arguments).await.unwrap_err() }
    };
    assert_eq!(
        check("no_such", json!({})).await,
        Error::UnknownTool("no_such".to_owned())
    );
    let invalid = check("read_note", json!({ "note": "x" })).await;
    assert!(
        matches!(&invalid, Error::InvalidArguments(why) if why.contains("`ref`")),
        "{invalid}"
    );
    let shapeless = check("read_note", json!([])).await;
    assert!(
        matches!(shapeless, Error::InvalidArguments(_)),
        "{shapeless}"
    );
    let missing = check("read_note", json!({ "ref": "zzz" })).await;
    assert!(matches!(missing, Error::Failed(_)), "{missing}");
}
