//! A client that writes raw lines and reads raw lines.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crucible_mcp::{Error, McpConfig, McpService};
use crucible_services::tasks::TaskOwner;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::vault::Vault;

/// How long anything may take before a test gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const MODERN: &str = "2026-07-28";

/// Waits, but not forever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("it happens within the deadline")
}

/// Waits until `is_so` says yes.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) fn service(vault: &Arc<Vault>) -> McpService {
    McpService::new(McpConfig::new("Test vault"), vault.clone())
}

/// The client's side of a connection over pipes.
pub(crate) struct Client {
    to: Option<DuplexStream>,
    from: BufReader<DuplexStream>,
    ended: oneshot::Receiver<Result<(), Error>>,
    pub(crate) token: CancellationToken,
    next_id: u64,
    _tasks: TaskOwner,
}

impl Client {
    pub(crate) fn new(service: McpService) -> Self {
        let (to, read) = tokio::io::duplex(64 * 1024);
        let (write, from) = tokio::io::duplex(64 * 1024);
        let token = CancellationToken::new();
        let (done, ended) = oneshot::channel();
        let tasks = TaskOwner::new("test");
        let inner = token.clone();
        tasks.spawn("serve", async move {
            let result = service.serve_pipes(read, write, inner).await;
            drop(done.send(result));
        });
        Self {
            to: Some(to),
            from: BufReader::new(from),
            ended,
            token,
            next_id: 0,
            _tasks: tasks,
        }
    }

    /// Returns a client of a small vault that has shaken hands.
    pub(crate) async fn legacy() -> (Self, Arc<Vault>) {
        let vault = Arc::new(Vault::small());
        let mut client = Self::new(service(&vault));
        let reply = client
            .request("initialize", initialize_params("2025-11-25"))
            .await;
        assert_eq!(reply["result"]["protocolVersion"], "2025-11-25");
        client.notify("notifications/initialized", json!({})).await;
        (client, vault)
    }

    pub(crate) async fn send_line(&mut self, line: &str) {
        let to = self.to.as_mut().expect("the input is open");
        soon(async {
            to.write_all(line.as_bytes()).await.unwrap();
            to.write_all(b"\n").await.unwrap();
        })
        .await;
    }

    /// Writes bytes as they are.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let to = self.to.as_mut().expect("the input is open");
        soon(to.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string()).await;
    }

    /// Returns the next line; every line must be a JSON-RPC message.
    pub(crate) async fn receive(&mut self) -> Value {
        soon(self.receive_any()).await
    }

    /// As [`Client::receive`], for as long as it takes.
    pub(crate) async fn receive_any(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).await.unwrap();
        let message: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("not a message ({error}): {line:?}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    /// Sends a request and returns its id.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
            .await;
        id
    }

    /// Sends a request and returns the answer to it.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        let reply = self.receive().await;
        assert_eq!(reply["id"], id, "{reply}");
        reply
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    /// Sends the same request so many times while reading nothing, fails if all are taken, then
    /// sends the rest while reading, and returns the number of answers.
    pub(crate) async fn flood(&mut self, method: &str, count: usize) -> usize {
        let Self { to, from, .. } = self;
        let to = to.as_mut().expect("the input is open");
        let mut send_all = std::pin::pin!(async {
            for id in 0..count {
                let line = json!({ "jsonrpc": "2.0", "id": id, "method": method }).to_string();
                to.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            }
        });
        // With time paused, this ends when nothing moves any more.
        let stuck = tokio::time::timeout(DEADLINE, &mut send_all).await.is_err();
        assert!(stuck, "{method} is read without end");
        let mut answers = 0;
        let read_all = async {
            let mut line = String::new();
            while answers < count {
                line.clear();
                assert!(from.read_line(&mut line).await.unwrap() > 0);
                answers += 1;
            }
        };
        soon(async { tokio::join!(send_all, read_all) }).await;
        answers
    }

    /// Calls a tool and returns its result.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        let reply = self.request("tools/call", params).await;
        assert!(reply["result"].is_object(), "{reply}");
        reply["result"].clone()
    }

    /// Calls a tool that answers, and returns what it says to programs.
    pub(crate) async fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// Calls a tool that cannot answer, and returns what it says about that.
    pub(crate) async fn fault(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(result.get("structuredContent").is_none(), "{result}");
        text(&result)
    }

    /// Closes the client's side.
    pub(crate) fn hang_up(&mut self) {
        self.to = None;
    }

    /// Waits for the end of serving.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        soon(self.ended).await.expect("serving ends by itself")
    }
}

pub(crate) fn initialize_params(version: &str) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": { "name": "test-client", "version": "1" },
    })
}

/// Returns parameters as the modern era wants them, each request complete in itself.
pub(crate) fn modern_params(version: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": { "name": "test-client", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

/// Returns the text of a tool's result.
pub(crate) fn text(result: &Value) -> String {
    assert_eq!(
        result["content"].as_array().map(Vec::len),
        Some(1),
        "{result}"
    );
    assert_eq!(result["content"][0]["type"], "text");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}
