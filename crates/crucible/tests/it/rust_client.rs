//! The MCP client of the Rust SDK, over HTTP, against the real daemon: both eras, and how each
//! ends.

use std::future::Future;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ProtocolVersion, ReadResourceRequestParams,
    ResourceUpdatedNotificationParam, ServerNotification, SubscribeRequestParams,
    SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::harness::{DEADLINE, Daemon, Place, eventually};

/// Updates that wait to be looked at.
const UPDATES_MAX: usize = 100;

/// What a client of the legacy era hears on the stream of its session.
struct Ear {
    updates: mpsc::Sender<String>,
}

impl ClientHandler for Ear {
    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.updates.send(params.uri).await.unwrap();
    }
}

type Running = RunningService<RoleClient, Ear>;

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap()
}

/// A connection with this token, and the updates that come outside of subscriptions.
async fn connect(
    daemon: &mut Daemon,
    token: &str,
    lifecycle: ClientLifecycleMode,
) -> (Running, mpsc::Receiver<String>) {
    let config =
        StreamableHttpClientTransportConfig::with_uri(format!("http://{}/mcp", daemon.api()))
            .auth_header(token);
    // The client speaks plain HTTP; what it would do for HTTPS needs no certificates here.
    let cryptography = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(cryptography)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let http = reqwest::Client::builder().tls_backend_preconfigured(tls);
    let transport = StreamableHttpClientTransport::with_client(http.build().unwrap(), config);
    let (updates, heard) = mpsc::channel(UPDATES_MAX);
    let client = Ear { updates }.serve_with_lifecycle(transport, lifecycle);
    (soon(client).await.unwrap(), heard)
}

fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

fn token(place: &Place) -> String {
    let words = [
        "token", "create", "agent", "--scope", "read", "--scope", "write",
    ];
    place.json(&words)["token"].as_str().unwrap().to_owned()
}

async fn call(client: &Running, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else {
        panic!("{arguments}")
    };
    let request = CallToolRequestParams::new(tool).with_arguments(arguments);
    soon(client.peer().call_tool(request)).await.unwrap()
}

/// Lists, reads, writes; returns the URI of a note that is there.
async fn work(client: &Running, place: &Place) -> String {
    let tools = soon(client.peer().list_all_tools()).await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(
        names,
        [
            "search_notes",
            "read_note",
            "list_notes",
            "note_links",
            "create_note",
            "edit_note",
            "move_note",
        ]
    );
    let found = call(client, "search_notes", json!({ "query": "needle" })).await;
    let hits = &found.structured_content.unwrap()["hits"];
    assert_eq!(hits[0]["path"], "a.md", "{hits}");
    let new = json!({ "path": "new.md", "text": "made\n" });
    let created = call(client, "create_note", new).await;
    assert_ne!(created.is_error, Some(true), "{created:?}");
    let written = std::fs::read_to_string(place.vault().join("new.md")).unwrap();
    assert_eq!(written, "made\n");
    let uri = "crucible://note/a.md".to_owned();
    let read = soon(
        client
            .peer()
            .read_resource(ReadResourceRequestParams::new(&uri)),
    );
    let read = serde_json::to_value(read.await.unwrap()).unwrap();
    assert_eq!(read["contents"][0]["text"], "needle\n", "{read}");
    uri
}

/// One figure of the gateway.
fn figure(daemon: &mut Daemon, name: &str) -> Value {
    let health = daemon.get("/api/v1/health/now");
    let mut found = &health["services"]["mcp-gateway"];
    if found.is_null() {
        let services = health["services"].as_array().unwrap();
        let is_gateway = |service: &&Value| service["name"] == "mcp-gateway";
        found = services.iter().find(is_gateway).unwrap();
    }
    find(found, name).unwrap_or_else(|| panic!("no {name} in {found}"))
}

fn find(value: &Value, name: &str) -> Option<Value> {
    let fields = value.as_object()?;
    let own = fields.get(name).cloned();
    own.or_else(|| fields.values().find_map(|inner| find(inner, name)))
}

#[expect(deprecated, reason = "it is what clients of the legacy era send")]
#[tokio::test(flavor = "multi_thread")]
async fn sdk_client_of_the_legacy_era_is_told_on_its_session_and_ends_it() {
    let place = Place::with(&[("a.md", "needle\n")]);
    let mut daemon = place.serve();
    let token = token(&place);
    let (client, mut heard) = connect(&mut daemon, &token, ClientLifecycleMode::Initialize).await;
    let uri = work(&client, &place).await;
    assert_eq!(figure(&mut daemon, "http_sessions"), 1);

    let peer = client.peer();
    soon(peer.subscribe(SubscribeRequestParams::new(&uri)))
        .await
        .unwrap();
    place.write("a.md", "needle, saved by an editor\n");
    assert_eq!(soon(heard.recv()).await.unwrap(), uri);
    let other = "crucible://note/new.md";
    soon(peer.subscribe(SubscribeRequestParams::new(other)))
        .await
        .unwrap();
    soon(peer.unsubscribe(UnsubscribeRequestParams::new(&uri)))
        .await
        .unwrap();
    // One save can be seen as two changes; what was told before the end of the subscription is out.
    while let Ok(before) = heard.try_recv() {
        assert_eq!(before, uri);
    }
    place.write("a.md", "needle, saved again\n");
    eventually("the new text", || {
        (place.search("again") == ["a.md"]).then_some(())
    });
    place.write("new.md", "saved too\n");
    assert_eq!(soon(heard.recv()).await.unwrap(), other);

    soon(client.cancel()).await.unwrap();
    eventually("the session to end", || {
        (figure(&mut daemon, "http_sessions") == 0 && figure(&mut daemon, "subscribers") == 0)
            .then_some(())
    });
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn sdk_client_of_the_modern_era_is_told_on_its_stream_and_ends_it() {
    let place = Place::with(&[("a.md", "needle\n")]);
    let mut daemon = place.serve();
    let token = token(&place);
    let (client, _heard) = connect(&mut daemon, &token, modern()).await;
    let uri = work(&client, &place).await;
    let mut wanted = SubscriptionFilter::new();
    wanted.resource_subscriptions = Some(vec![uri.clone()]);
    let mut stream = soon(client.peer().listen(wanted)).await.unwrap();
    assert_eq!(
        stream.acknowledged().resource_subscriptions,
        Some(vec![uri.clone()])
    );
    place.write("a.md", "needle, saved by an editor\n");
    match soon(stream.next()).await.unwrap() {
        Some(ServerNotification::ResourceUpdatedNotification(update)) => {
            assert_eq!(update.params.uri, uri);
        }
        other => panic!("{other:?}"),
    }
    soon(stream.cancel()).await.unwrap();
    eventually("the subscription to end", || {
        (figure(&mut daemon, "subscribers") == 0).then_some(())
    });
    soon(client.cancel()).await.unwrap();
    daemon.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_the_sdk_client_ends_when_its_token_is_revoked() {
    let place = Place::with(&[("a.md", "needle\n")]);
    let mut daemon = place.serve();
    let token = token(&place);
    let (client, _heard) = connect(&mut daemon, &token, modern()).await;
    let mut wanted = SubscriptionFilter::new();
    wanted.resource_subscriptions = Some(vec!["crucible://note/a.md".to_owned()]);
    let mut stream = soon(client.peer().listen(wanted)).await.unwrap();
    place.about(&["token", "revoke", "agent"]).succeeds();
    let told = soon(stream.next()).await;
    assert!(!matches!(told, Ok(Some(_))), "{told:?}");
    eventually("the subscription to end", || {
        (figure(&mut daemon, "subscribers") == 0).then_some(())
    });
    let refused = soon(client.peer().list_all_tools()).await;
    assert!(refused.is_err(), "{refused:?}");
    daemon.stop();
}
