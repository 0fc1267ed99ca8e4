//! Tells calls and clients as events, without keeping anybody waiting.
//!
//! Events go through a bounded queue to a task that publishes them in order. When the queue is
//! full the event is dropped and counted: a call is never slower because somebody listens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crucible_services::access::Principal;
use crucible_services::events::{DaemonEvent, EventPayload, EventSource, EventType, McpEventType};
use crucible_services::service_traits::ServiceContext;
use crucible_services::tasks::TaskOwner;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::budget::shorten;

/// How many events may wait to be published; one more is dropped.
const QUEUE_SIZE: usize = 512;
/// How long publishing one event may take.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);
/// How many characters of a client's name are told.
const CLIENT_CHARS_MAX: usize = 80;
/// How many characters of a resource's URI are told.
const URI_CHARS_MAX: usize = 2_000;

/// Who called, as far as events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// `stdio`, `http` or `daemon`.
    pub(crate) transport: &'static str,
    /// The protocol revision in use, when there is one.
    pub(crate) protocol: Option<String>,
    /// The name that the client gave; never trusted.
    pub(crate) client: Option<String>,
    /// Who is behind the client, and what they may do.
    pub(crate) principal: Principal,
}

impl Caller {
    /// Returns the client's name, one line and not long.
    pub(crate) fn client(&self) -> String {
        let name = self.client.as_deref().unwrap_or_default();
        let name = shorten(name.trim(), CLIENT_CHARS_MAX);
        if name.is_empty() {
            "unknown".to_owned()
        } else {
            name
        }
    }

    fn detail(&self) -> Map<String, Value> {
        let mut detail = Map::new();
        detail.insert("transport".to_owned(), self.transport.into());
        detail.insert("client".to_owned(), self.client().into());
        if let Some(protocol) = &self.protocol {
            detail.insert("protocol".to_owned(), shorten(protocol, 40).into());
        }
        detail
    }
}

/// Tells events while it has a publisher, and nothing before and after.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    queue: Mutex<Option<mpsc::Sender<DaemonEvent>>>,
    tasks: Mutex<Option<TaskOwner>>,
    dropped: AtomicU64,
}

impl Teller {
    /// Publishes through `context` from now on.
    pub(crate) fn begin(&self, context: &ServiceContext) {
        let (sender, mut receiver) = mpsc::channel::<DaemonEvent>(QUEUE_SIZE);
        let events = std::sync::Arc::clone(&context.events);
        let token = context.tasks.token().clone();
        context.tasks.spawn("mcp-events", async move {
            // After `end` the queue is emptied before the loop ends; a token that is cancelled
            // means that nobody listens any more.
            loop {
                let next = tokio::select! {
                    biased;
                    event = receiver.recv() => event,
                    () = token.cancelled() => None,
                };
                let Some(event) = next else { break };
                let published = tokio::time::timeout(PUBLISH_DEADLINE, events.publish(event)).await;
                match published {
                    Ok(Ok(_receipt)) => {}
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "an event was not routed");
                    }
                    Err(_elapsed) => tracing::warn!("an event was not routed within 5 s"),
                }
            }
        });
        *self.queue() = Some(sender);
        *self.run() = Some(context.tasks.clone());
    }

    /// Returns the owner of tasks of this run; `None` while there is none, and so no events.
    pub(crate) fn tasks(&self) -> Option<TaskOwner> {
        self.run().clone()
    }

    /// Returns the token that is cancelled when this run ends.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.run()
            .as_ref()
            .map_or_else(CancellationToken::new, |tasks| tasks.token().clone())
    }

    /// Stops telling; what is in the queue is still published.
    pub(crate) fn end(&self) {
        *self.queue() = None;
        *self.run() = None;
    }

    /// Returns how many events were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn connected(&self, caller: &Caller) {
        let client = caller.client();
        self.tell(
            McpEventType::ClientConnected { client },
            caller.detail(),
            None,
        );
    }

    pub(crate) fn disconnected(&self, caller: &Caller) {
        let client = caller.client();
        self.tell(
            McpEventType::ClientDisconnected { client },
            caller.detail(),
            None,
        );
    }

    /// Tells that a tool is called; the event returned is the cause of what comes of it.
    pub(crate) fn called(&self, caller: &Caller, tool: &str) -> Option<DaemonEvent> {
        let tool_name = tool.to_owned();
        self.tell(McpEventType::ToolCall { tool_name }, caller.detail(), None)
    }

    pub(crate) fn requested(&self, caller: &Caller, uri: &str) {
        let uri = shorten(uri, URI_CHARS_MAX);
        self.tell(
            McpEventType::ResourceRequested { uri },
            caller.detail(),
            None,
        );
    }

    pub(crate) fn answered(
        &self,
        caller: &Caller,
        tool: &str,
        took: Duration,
        answer_bytes: usize,
        cause: Option<&DaemonEvent>,
    ) {
        let kind = McpEventType::ToolResponse {
            tool_name: tool.to_owned(),
            duration_ms: millis(took),
        };
        let mut detail = caller.detail();
        detail.insert("answer_bytes".to_owned(), answer_bytes.into());
        self.tell(kind, detail, cause);
    }

    pub(crate) fn failed(
        &self,
        caller: &Caller,
        tool: &str,
        took: Duration,
        error: &str,
        cause: Option<&DaemonEvent>,
    ) {
        let kind = McpEventType::ToolError {
            tool_name: tool.to_owned(),
            error: error.to_owned(),
        };
        let mut detail = caller.detail();
        detail.insert("duration_ms".to_owned(), millis(took).into());
        self.tell(kind, detail, cause);
    }

    fn tell(
        &self,
        kind: McpEventType,
        detail: Map<String, Value>,
        cause: Option<&DaemonEvent>,
    ) -> Option<DaemonEvent> {
        let queue = self.queue().clone()?;
        let mut event = DaemonEvent::new(
            EventType::Mcp(kind),
            EventSource::mcp(crate::service::NAME),
            EventPayload::json(Value::Object(detail)),
        );
        if let Some(cause) = cause {
            event = event.caused_by(cause);
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(event.clone()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Some(event)
    }

    fn run(&self) -> std::sync::MutexGuard<'_, Option<TaskOwner>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<DaemonEvent>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
