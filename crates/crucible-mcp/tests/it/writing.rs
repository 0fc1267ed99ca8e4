//! Tools that change notes, over a real vault and store; and tools of other parts.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use crucible_mcp::{McpConfig, McpService};
use crucible_services::access::{Principal, Scope};
use crucible_services::mcp::{Error, ToolCaller, ToolDescriptor, ToolProvider};
use crucible_services::note_writer::NoteWriter as _;
use crucible_services::tasks::TaskOwner;
use crucible_store::{Store, StoreConfig};
use crucible_vault::{VaultConfig, VaultFolder, VaultWriter, WriterConfig, reconcile};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::vault::Vault;
use crate::wire::{Client, MODERN, initialize_params, modern_params, service};

const WRITING: [&str; 3] = ["create_note", "edit_note", "move_note"];

/// A vault on disk and the gateway over it.
pub(crate) struct Bench {
    place: tempfile::TempDir,
    pub(crate) service: McpService,
    writer: VaultWriter,
    _tasks: TaskOwner,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("vault");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("Home.md"), "# Home\nSee [[Plan]].\n").unwrap();
        std::fs::write(root.join("a/Plan.md"), "# Plan\n\n## Steps\n- one\n").unwrap();
        std::fs::write(root.join("a/Twin.md"), "1\n").unwrap();
        std::fs::create_dir_all(root.join("b")).unwrap();
        std::fs::write(root.join("b/Twin.md"), "2\n").unwrap();
        let folder = VaultFolder::open(&VaultConfig::new(&root)).unwrap();
        let config = StoreConfig::new(place.path().join("index"));
        let store = Store::open(config, Arc::new(folder.clone())).await.unwrap();
        reconcile(&folder, &store, &CancellationToken::new())
            .await
            .unwrap();
        let tasks = TaskOwner::new("test");
        let writer = VaultWriter::new(
            folder,
            Arc::new(store.clone()),
            Arc::new(store.clone()),
            place.path().join("history"),
            WriterConfig::default(),
            &tasks,
        )
        .await
        .unwrap();
        let service = McpService::new(McpConfig::new("Test vault"), Arc::new(store))
            .with_writer(Arc::new(writer.clone()));
        Self {
            place,
            service,
            writer,
            _tasks: tasks,
        }
    }

    pub(crate) async fn legacy(&self) -> Client {
        let mut client = Client::new(self.service.clone());
        client
            .request("initialize", initialize_params("2025-11-25"))
            .await;
        client.notify("notifications/initialized", json!({})).await;
        client
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.place.path().join("vault").join(path)).unwrap()
    }
}

async fn names(client: &mut Client) -> Vec<String> {
    let listed = client.request("tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_note_is_created_edited_and_moved() {
    let bench = Bench::new().await;
    let mut client = bench.legacy().await;
    let created = client
        .answer(
            "create_note",
            json!({ "path": "b/New", "text": "# New\n[[Plan]]\n" }),
        )
        .await;
    assert_eq!(created["path"], "b/New.md");
    assert_eq!(bench.text("b/New.md"), "# New\n[[Plan]]\n");

    let read = client.answer("read_note", json!({ "ref": "New" })).await;
    assert_eq!(read["hash"], created["hash"]);
    let edits = json!([
        { "op": "append", "text": "end" },
        { "op": "replace", "old": "# New", "text": "# Newer" },
    ]);
    let edited = client
        .answer(
            "edit_note",
            json!({ "ref": "New", "if_match": read["hash"], "edits": edits }),
        )
        .await;
    assert_eq!(bench.text("b/New.md"), "# Newer\n[[Plan]]\nend\n");
    assert_ne!(edited["hash"], read["hash"]);

    let plan = client.answer("read_note", json!({ "ref": "Plan" })).await;
    let moved = client
        .answer(
            "move_note",
            json!({ "ref": "Plan", "to": "c/Idea", "if_match": plan["hash"] }),
        )
        .await;
    assert_eq!(moved["path"], "c/Idea.md");
    assert_eq!(moved["also"], json!(["Home.md", "b/New.md"]));
    assert_eq!(bench.text("Home.md"), "# Home\nSee [[Idea]].\n");
    let history = bench.writer.history(None, 10).await.unwrap();
    assert!(
        history.iter().all(|change| change.by == "mcp:test-client"),
        "{history:?}"
    );
}

#[tokio::test]
async fn a_stale_hash_is_told_with_the_text_and_the_hash_now() {
    let bench = Bench::new().await;
    let mut client = bench.legacy().await;
    let edit = |hash: Value| json!({ "ref": "a/Plan.md", "if_match": hash, "edits": [{ "op": "append", "text": "x" }] });
    let read = client
        .answer("read_note", json!({ "ref": "a/Plan.md" }))
        .await;
    client.answer("edit_note", edit(read["hash"].clone())).await;
    let now = client
        .answer("read_note", json!({ "ref": "a/Plan.md" }))
        .await;
    let fault = client.fault("edit_note", edit(read["hash"].clone())).await;
    assert!(fault.contains("Nothing was written"), "{fault}");
    assert!(fault.contains(now["hash"].as_str().unwrap()), "{fault}");
    assert!(fault.contains("- one\nx\n"), "{fault}");
}

#[tokio::test]
async fn a_change_never_guesses() {
    let bench = Bench::new().await;
    let mut client = bench.legacy().await;
    let hash = "0".repeat(64);
    let edits = json!([{ "op": "append", "text": "x" }]);
    let fault = client
        .fault(
            "edit_note",
            json!({ "ref": "twin", "if_match": hash, "edits": edits }),
        )
        .await;
    assert!(
        fault.contains("- a/Twin.md") && fault.contains("- b/Twin.md"),
        "{fault}"
    );
    for (edit, reason) in [
        (json!({ "op": "replace", "text": "x" }), "needs `old`"),
        (
            json!({ "op": "append", "text": "x", "old": "y" }),
            "does not use",
        ),
        (
            json!({ "op": "append_to_section", "text": "x" }),
            "needs `heading`",
        ),
        (json!({ "op": "destroy", "text": "x" }), "must be one of"),
        (json!({ "op": "append" }), "missing"),
        (
            json!({ "op": "append", "text": "x", "extra": 1 }),
            "no argument",
        ),
        (json!("append"), "must be an object"),
    ] {
        let arguments = json!({ "ref": "Home", "if_match": hash, "edits": [edit] });
        let fault = client.fault("edit_note", arguments).await;
        assert!(fault.contains(reason), "{reason}: {fault}");
    }
    let exists = client
        .fault("create_note", json!({ "path": "home.md", "text": "x" }))
        .await;
    assert!(exists.contains("exists already"), "{exists}");
    let outside = client
        .fault("create_note", json!({ "path": "../x", "text": "x" }))
        .await;
    assert!(outside.contains("relative to the vault"), "{outside}");
    assert_eq!(bench.text("Home.md"), "# Home\nSee [[Plan]].\n");
}

#[tokio::test]
async fn without_a_writer_no_writing_tool_is_known() {
    let mut client = Client::new(service(&Arc::new(Vault::small())));
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    client.notify("notifications/initialized", json!({})).await;
    assert_eq!(names(&mut client).await.len(), 4);
    let params = json!({ "name": "create_note", "arguments": { "path": "x", "text": "x" } });
    let reply = client.request("tools/call", params).await;
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
}

/// Asks over HTTP as somebody.
async fn ask_as(
    service: &McpService,
    who: Option<Principal>,
    method: &str,
    params: Value,
) -> Value {
    let name = params["name"].as_str().unwrap_or_default().to_owned();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": method, "params": modern_params(MODERN, params),
    });
    let mut request = Request::post("/mcp")
        .header("host", "127.0.0.1:1")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    if !name.is_empty() {
        request = request.header("mcp-name", name);
    }
    let mut request = request.body(Body::from(message.to_string())).unwrap();
    if let Some(who) = who {
        request.extensions_mut().insert(who);
    }
    let response = service.http_service().oneshot(request).await.unwrap();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

#[tokio::test]
async fn tools_are_known_to_those_who_may_use_them() {
    let bench = Bench::new().await;
    let check = |who: Option<Principal>, count: usize, writes: bool| {
        let service = bench.service.clone();
        async move {
            let listed = ask_as(&service, who.clone(), "tools/list", json!({})).await;
            let tools = listed["result"]["tools"].as_array().unwrap();
            assert_eq!(tools.len(), count, "{who:?}");
            let path = format!("by-{count}-{writes}");
            let params =
                json!({ "name": "create_note", "arguments": { "path": path, "text": "x" } });
            let called = ask_as(&service, who.clone(), "tools/call", params).await;
            let is_done = called["result"]["isError"] == false;
            assert_eq!(is_done, writes, "{who:?}: {called}");
            assert_eq!(called["error"]["code"] == -32602, !writes, "{called}");
        }
    };
    check(Some(Principal::owner("me")), 7, true).await;
    check(Some(Principal::new("reader", [Scope::Read])), 4, false).await;
    check(Some(Principal::new("drop box", [Scope::Write])), 3, true).await;
    check(Some(Principal::new("nobody", [])), 0, false).await;
    // Whom the edge did not name may only read.
    check(None, 4, false).await;
    let nobody = Some(Principal::new("nobody", [Scope::Infer]));
    let listed = ask_as(&bench.service, nobody, "resources/list", json!({})).await;
    assert_eq!(listed["result"]["resources"], json!([]));
}

/// Two tools, and a record of who called.
#[derive(Debug, Default)]
struct Scripts {
    calls: Mutex<Vec<ToolCaller>>,
}

#[async_trait]
impl ToolProvider for Scripts {
    async fn provided_tools(&self) -> Vec<ToolDescriptor> {
        let tool = |name: &str, read_only| ToolDescriptor {
            name: name.to_owned(),
            description: "A tool of a script.".to_owned(),
            input_schema: json!({ "type": "object", "oneOf": [{ "required": ["x"] }] }),
            read_only,
        };
        vec![
            tool("weekly__count", true),
            tool("weekly__write", false),
            tool("read_note", true),
            tool("bad name", true),
        ]
    }

    async fn call_provided(
        &self,
        name: &str,
        arguments: Value,
        caller: ToolCaller,
    ) -> Result<Value, Error> {
        self.calls.lock().unwrap().push(caller);
        match arguments["x"].as_str() {
            Some("fail") => Err(Error::Failed("the script stopped".to_owned())),
            Some("panic") => panic!("as it was told to"),
            _ => Ok(json!({ "tool": name, "given": arguments, "odd": [null, 1.5] })),
        }
    }
}

#[tokio::test]
async fn tools_of_other_parts_come_after_the_own_and_answer_as_they_like() {
    let scripts = Arc::new(Scripts::default());
    let service = service(&Arc::new(Vault::small())).with_tools(scripts.clone());
    let mut client = Client::new(service.clone());
    client
        .request("initialize", initialize_params("2025-11-25"))
        .await;
    client.notify("notifications/initialized", json!({})).await;
    let listed = names(&mut client).await;
    assert_eq!(listed[4..], ["weekly__count", "weekly__write"]);
    assert!(!listed.iter().any(|name| WRITING.contains(&name.as_str())));
    let answer = client.answer("weekly__count", json!({ "x": "y" })).await;
    let expected = json!({ "tool": "weekly__count", "given": { "x": "y" }, "odd": [null, 1.5] });
    assert_eq!(answer, expected);
    let fault = client.fault("weekly__count", json!({ "x": "fail" })).await;
    assert_eq!(fault, "the script stopped");
    let fault = client.fault("weekly__count", json!({ "x": "panic" })).await;
    assert!(fault.contains("broke"), "{fault}");
    let callers: Vec<String> = {
        let calls = scripts.calls.lock().unwrap();
        calls
            .iter()
            .map(|call| call.principal.name.clone())
            .collect()
    };
    assert_eq!(callers, ["stdio", "stdio", "stdio"]);
    let reader = Some(Principal::new("reader", [Scope::Read]));
    let listed = ask_as(&service, reader, "tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 5);
}
