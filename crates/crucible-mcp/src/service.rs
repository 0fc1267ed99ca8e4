//! The gateway as a supervised service, and its ways in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::access::{Principal, Scope};
use crucible_services::data_store::{DataStore, Error as StoreError};
use crucible_services::events::{DaemonEvent, EventFilter};
use crucible_services::health::ServiceHealth;
use crucible_services::mcp::{Error as McpError, McpGateway, ToolDescriptor, ToolProvider};
use crucible_services::note_writer::NoteWriter;
use crucible_services::service_traits::{
    ServiceContext, ServiceError, ServiceKind, ServiceLifecycle,
};
use rmcp::model::ProtocolVersion;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::config::McpConfig;
use crate::fault::FaultKind;
use crate::gateway::{CallError, Gateway};
use crate::http::{HttpService, HttpShared};
use crate::listening;
use crate::stdin::Stdin;
use crate::stdio;
use crate::teller::Caller;

/// The service's name.
pub(crate) const NAME: &str = "mcp-gateway";

/// How long a health check waits for the store.
const CHECK_DEADLINE: Duration = Duration::from_secs(3);

/// Offers a vault's notes to AI agents.
///
/// Cheap to clone; all clones are one gateway. It works from its creation on; [`start`] adds a
/// publisher of events, and between [`stop`] and the next [`start`] it refuses calls.
///
/// [`start`]: ServiceLifecycle::start
/// [`stop`]: ServiceLifecycle::stop
#[derive(Clone)]
pub struct McpService {
    gateway: Arc<Gateway>,
    http: Arc<HttpShared>,
}

impl std::fmt::Debug for McpService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpService")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl McpService {
    /// Creates the gateway over `store`, which may be in this process or another.
    #[must_use]
    pub fn new(config: McpConfig, store: Arc<dyn DataStore>) -> Self {
        let gateway = Arc::new(Gateway::new(config, store));
        Self {
            http: Arc::new(HttpShared::new(Arc::clone(&gateway))),
            gateway,
        }
    }

    /// Offers tools that change notes, to those who may; without it there are none.
    ///
    /// A second call changes nothing.
    #[must_use]
    pub fn with_writer(self, writer: Arc<dyn NoteWriter>) -> Self {
        let _kept = self.gateway.writer.set(writer);
        self
    }

    /// Offers another part's tools, after the gateway's own and those added before.
    #[must_use]
    pub fn with_tools(self, provider: Arc<dyn ToolProvider>) -> Self {
        self.gateway.providers.add(provider);
        self
    }

    /// Serves the client at standard input and output until it closes its side or `token` is
    /// cancelled.
    ///
    /// Nothing but protocol messages is written to standard output; the program must keep its
    /// logs off it.
    ///
    /// # Errors
    /// When the connection breaks otherwise than by the client's leaving.
    pub async fn serve_stdio(&self, token: CancellationToken) -> Result<(), stdio::Error> {
        let stdin = Stdin::open().map_err(|error| stdio::Error::Broken(error.to_string()))?;
        self.serve_pipes(stdin, tokio::io::stdout(), token).await
    }

    /// Serves the client at the other ends of `read` and `write`, as
    /// [`McpService::serve_stdio`] does.
    ///
    /// # Errors
    /// As [`McpService::serve_stdio`].
    pub async fn serve_pipes<R, W>(
        &self,
        read: R,
        write: W,
        token: CancellationToken,
    ) -> Result<(), stdio::Error>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        stdio::serve(Arc::clone(&self.gateway), read, write, token).await
    }

    /// Tells all who subscribed that what they follow may have changed, because nobody can tell
    /// what happened: for who passes events on and has missed some.
    pub fn anything_may_have_changed(&self) {
        self.gateway.changes.anything_changed();
    }

    /// Returns the gateway over streamable HTTP, to be mounted at a path such as `/mcp`: with
    /// `Router::route_service("/mcp", ..)`, or with `Router::fallback_service(..)` in a router
    /// that is itself nested at `/mcp`. It looks at no path.
    ///
    /// It takes requests that name the loopback interface as their host, and none that come from
    /// a page of another origin.
    #[must_use]
    pub fn http_service(&self) -> HttpService {
        HttpService::new(Arc::clone(&self.http))
    }
}

#[async_trait]
impl ServiceLifecycle for McpService {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kind(&self) -> ServiceKind {
        ServiceKind::McpGateway
    }

    fn dependencies(&self) -> Vec<String> {
        vec!["datastore".to_owned()]
    }

    /// Notes that changed, and scripts whose tools came or went.
    fn subscriptions(&self) -> Vec<EventFilter> {
        let types = [
            "database.record_created",
            "database.record_updated",
            "database.record_deleted",
            "script.loaded",
            "script.removed",
            "script.granted",
        ];
        vec![EventFilter {
            types: types.map(str::to_owned).to_vec(),
            ..EventFilter::all()
        }]
    }

    async fn handle_event(&self, event: &DaemonEvent) -> Result<(), ServiceError> {
        listening::take(&self.gateway, event);
        Ok(())
    }

    async fn start(&self, context: ServiceContext) -> Result<(), ServiceError> {
        self.gateway.teller.begin(&context);
        self.gateway.gate.open();
        self.http.open();
        Ok(())
    }

    async fn stop(&self) -> Result<(), ServiceError> {
        let drain = self.gateway.config.drain_deadline;
        let is_clean = self.gateway.gate.close(drain).await;
        self.http.close().await;
        self.gateway.teller.end();
        if is_clean {
            Ok(())
        } else {
            Err(ServiceError::Failed(
                "calls to tools did not end after they were cancelled; the data store is stuck"
                    .to_owned(),
            ))
        }
    }

    /// A store that cannot be reached makes the gateway degraded, not unhealthy: it still speaks
    /// with its clients, and starting it anew would not help.
    async fn health_check(&self) -> Result<ServiceHealth, ServiceError> {
        let asked = tokio::time::timeout(CHECK_DEADLINE, self.gateway.store.stats()).await;
        let health = match asked {
            Ok(Ok(stats)) => ServiceHealth::healthy().with_detail("notes", stats.notes),
            Ok(Err(StoreError::Unavailable { reason })) => ServiceHealth::degraded(format!(
                "tools cannot answer: the data store is unavailable ({reason})"
            )),
            Ok(Err(error)) => ServiceHealth::degraded(format!("tools cannot answer: {error}")),
            Err(_elapsed) => ServiceHealth::degraded(
                "tools may be slow: the data store did not answer within 3 s",
            ),
        };
        Ok(health
            .with_detail("calls_in_flight", self.gateway.gate.in_flight())
            .with_detail("subscribers", self.gateway.changes.count())
            .with_detail("http_sessions", self.http.sessions())
            .with_detail("events_dropped", self.gateway.teller.dropped()))
    }
}

/// Who calls from inside the process: it is not known on whose behalf, so nothing is changed.
fn daemon() -> Principal {
    Principal::new("daemon", [Scope::Read])
}

#[async_trait]
impl McpGateway for McpService {
    fn protocol_versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = ProtocolVersion::KNOWN_VERSIONS
            .iter()
            .map(ToString::to_string)
            .collect();
        versions.sort_unstable_by(|left, right| right.cmp(left));
        versions
    }

    async fn tools(&self) -> Result<Vec<ToolDescriptor>, McpError> {
        Ok(self.gateway.descriptors(&daemon()).await)
    }

    async fn call_tool(&self, name: &str, arguments: Value) -> Result<Value, McpError> {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            Value::Null => Map::new(),
            _ => {
                return Err(McpError::InvalidArguments(
                    "the arguments of a tool are an object".to_owned(),
                ));
            }
        };
        let caller = Caller {
            principal: daemon(),
            transport: "daemon",
            protocol: None,
            client: Some("crucible".to_owned()),
        };
        let never = CancellationToken::new();
        let called = self.gateway.call(&caller, name, arguments, &never).await;
        called
            .map(|answer| answer.structured)
            .map_err(|error| match error {
                CallError::UnknownTool(_) => McpError::UnknownTool(name.to_owned()),
                CallError::Fault(fault) if fault.kind == FaultKind::InvalidArguments => {
                    McpError::InvalidArguments(fault.message)
                }
                CallError::Fault(fault) => McpError::Failed(fault.message),
                CallError::Cancelled => McpError::Failed("the call was cancelled".to_owned()),
            })
    }
}
