//! One client's side of the gateway: what the SDK asks, answered from [`Gateway`].
//!
//! Over standard input, and in a legacy HTTP session, one connection serves all of a client's
//! requests; in the modern era over HTTP each request has a connection of its own.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, ErrorData, Implementation,
    InitializeRequestParams, InitializeResult, ListToolsResult, PaginatedRequestParams,
    ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{RoleServer, ServerHandler};

use crate::gateway::{CallError, Gateway};
use crate::teller::Caller;

/// How long a client may keep what it was told about the server and its tools.
const FRESH_MS: u64 = 5 * 60 * 1000;

/// How a client reaches the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Stdio,
    Http,
}

impl Via {
    const fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
        }
    }
}

/// One client's side of the gateway.
#[derive(Debug)]
pub(crate) struct Connection {
    gateway: Arc<Gateway>,
    via: Via,
    /// Who was told as connected, and so is told as disconnected at the end.
    client: OnceLock<Caller>,
}

impl Connection {
    pub(crate) const fn new(gateway: Arc<Gateway>, via: Via) -> Self {
        Self {
            gateway,
            via,
            client: OnceLock::new(),
        }
    }

    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        Caller {
            transport: self.via.name(),
            protocol: context
                .protocol_version()
                .map(|version| version.to_string()),
            client: context.client_info().map(|client| client.name),
        }
    }

    /// Tells once that the client is there and stays.
    fn greet(&self, caller: &Caller) {
        if self.client.set(caller.clone()).is_ok() {
            self.gateway.teller.connected(caller);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(caller) = self.client.get() {
            self.gateway.teller.disconnected(caller);
        }
    }
}

impl ServerHandler for Connection {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new("crucible", env!("CARGO_PKG_VERSION"))
            .with_title("Crucible")
            .with_description("Read-only access to a vault of Markdown notes");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(server)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
            .with_instructions(self.gateway.instructions())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        self.greet(&Caller {
            transport: self.via.name(),
            protocol: Some(result.protocol_version.to_string()),
            client: Some(request.client_info.name.clone()),
        });
        context.peer.set_peer_info(request);
        Ok(result)
    }

    async fn discover(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        let caller = self.caller(&context);
        match self.via {
            // The same client may go on with `initialize`, which knows its name better.
            Via::Stdio if caller.client.is_some() => self.greet(&caller),
            Via::Stdio => {}
            Via::Http => self.gateway.teller.connected(&caller),
        }
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(FRESH_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|page| page.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "tools/list has one page and gives no cursor; ask without one",
                None,
            ));
        }
        let tools = self.gateway.catalogue.listed().to_vec();
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(FRESH_MS)
            .with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools = self.gateway.catalogue.listed();
        tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&context);
        if self.via == Via::Stdio {
            self.greet(&caller);
        }
        let arguments = request.arguments.unwrap_or_default();
        let called = self
            .gateway
            .call(&caller, &request.name, arguments, &context.ct)
            .await;
        let result = match called {
            Ok(answer) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(answer.text)]);
                result.structured_content = Some(answer.structured);
                result
            }
            Err(CallError::Fault(fault)) => {
                CallToolResult::error(vec![ContentBlock::text(fault.message)])
            }
            Err(CallError::UnknownTool(message)) => {
                return Err(ErrorData::invalid_params(message, None));
            }
            Err(CallError::Cancelled) => {
                return Err(ErrorData::invalid_request("the call was cancelled", None));
            }
        };
        Ok(result.into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(misread(&request.method))
    }

    async fn on_initialized(&self, _context: NotificationContext<RoleServer>) {}

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }
}

/// Methods that this server knows; what arrives as an unknown request under one of these names
/// has parameters that do not fit.
const METHODS: [&str; 5] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
];

/// Says what is wrong with a request that the SDK could not read as one that it knows.
pub(crate) fn misread(method: &str) -> ErrorData {
    if METHODS.contains(&method) {
        return ErrorData::invalid_params(
            format!("the parameters of {method} do not have the form that the protocol gives them"),
            None,
        );
    }
    let shown = crate::budget::shorten(method, 80);
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!(
            "this server has no method {shown:?}; it has {}",
            METHODS.join(", ")
        ),
        None,
    )
}
