//! One client's side of the gateway: what the SDK asks, answered from [`Gateway`].
//!
//! Over standard input, and in a legacy HTTP session, one connection serves all of a client's
//! requests; in the modern era over HTTP each request has a connection of its own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use crucible_services::access::{Principal, Scope};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, ErrorData, Extensions, Implementation,
    InitializeRequestParams, InitializeResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ServerCapabilities, ServerConfig, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use tokio_util::sync::CancellationToken;

use crate::catalogue::ToolSpec;
use crate::changes::Place;
use crate::gateway::{CallError, Gateway};
use crate::teller::Caller;
use crate::{listening, resources};

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
    /// Whose session this is: nobody else may use it.
    owner: OnceLock<String>,
    /// A legacy client's place among those who are told of changes.
    place: OnceLock<Place>,
    /// Is cancelled at the end.
    ended: CancellationToken,
}

impl Connection {
    pub(crate) fn new(gateway: Arc<Gateway>, via: Via) -> Self {
        Self {
            gateway,
            via,
            client: OnceLock::new(),
            owner: OnceLock::new(),
            place: OnceLock::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Returns who asks. Over HTTP the edge says so; where it does not, they may only read.
    fn principal(&self, extensions: &Extensions) -> Principal {
        match self.via {
            Via::Stdio => Principal::owner("stdio"),
            Via::Http => extensions
                .get::<Parts>()
                .and_then(|parts| parts.extensions.get::<Principal>())
                .cloned()
                .unwrap_or_else(|| Principal::new("http", [Scope::Read])),
        }
    }

    /// Returns who asks.
    ///
    /// # Errors
    /// When a session is used by another principal than the one that began it.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
        let principal = self.principal(&context.extensions);
        if self
            .owner
            .get()
            .is_some_and(|owner| *owner != principal.name)
        {
            return Err(ErrorData::invalid_request(
                "this session belongs to somebody else; begin one of your own",
                None,
            ));
        }
        Ok(self.caller_as(principal, context))
    }

    fn caller_as(&self, principal: Principal, context: &RequestContext<RoleServer>) -> Caller {
        Caller {
            principal,
            transport: self.via.name(),
            protocol: context
                .protocol_version()
                .map(|version| version.to_string()),
            client: context.client_info().map(|client| client.name),
        }
    }

    /// Returns the client's place among those who are told of changes, and takes one when there is
    /// none yet; `None` where nothing is told.
    fn placed(&self, principal: &Principal, peer: &Peer<RoleServer>) -> Option<&Place> {
        if let Some(place) = self.place.get() {
            return Some(place);
        }
        let tasks = self.gateway.teller.tasks()?;
        if !principal.may(Scope::Read) {
            return None;
        }
        let changes = &self.gateway.changes;
        let place = changes.subscribe(&principal.name, false, BTreeSet::new());
        let place = place
            .inspect_err(|reason| tracing::warn!(reason, "a client is not told of changes"))
            .ok()?;
        let subscriber = Arc::clone(&place.subscriber);
        if self.place.set(place).is_ok() {
            let (ended, stopped) = (self.ended.clone(), tasks.token().clone());
            let following = listening::follow(peer.clone(), subscriber, ended, stopped);
            tasks.spawn("mcp-changes", following);
        }
        self.place.get()
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
        self.ended.cancel();
        if let Some(caller) = self.client.get() {
            self.gateway.teller.disconnected(caller);
        }
    }
}

impl ServerHandler for Connection {
    fn get_info(&self) -> ServerConfig {
        let server = Implementation::new("crucible", env!("CARGO_PKG_VERSION"))
            .with_title("Crucible")
            .with_description("A vault of Markdown notes");
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .build();
        // Who is told of no events cannot tell of changes.
        let is_told = self.gateway.teller.tasks().is_some();
        if let Some(tools) = &mut capabilities.tools {
            tools.list_changed = is_told.then_some(true);
        }
        if let Some(resources) = &mut capabilities.resources {
            resources.subscribe = is_told.then_some(true);
            resources.list_changed = is_told.then_some(true);
        }
        ServerConfig::new(capabilities)
            .with_server_info(server)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let mut result = self.negotiate_initialize(&request)?;
        let principal = self.principal(&context.extensions);
        result.instructions = Some(self.gateway.instructions(&principal));
        if self.owner.set(principal.name.clone()).is_err() {
            self.caller(&context)?;
        }
        self.greet(&Caller {
            principal,
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
        let caller = self.caller(&context)?;
        match self.via {
            // The same client may go on with `initialize`, which knows its name better.
            Via::Stdio if caller.client.is_some() => self.greet(&caller),
            Via::Stdio => {}
            Via::Http => self.gateway.teller.connected(&caller),
        }
        let versions = self.supported_protocol_versions().into_owned();
        let info = self
            .get_info()
            .with_instructions(self.gateway.instructions(&caller.principal));
        Ok(DiscoverResult::from_server_info(versions, info)
            .with_ttl_ms(FRESH_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|page| page.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "tools/list has one page and gives no cursor; ask without one",
                None,
            ));
        }
        let caller = self.caller(&context)?;
        let tools = self.gateway.listed(&caller.principal).await;
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(FRESH_MS)
            .with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let found = self.gateway.catalogue.find(name);
        found.map(|(_, spec)| ToolSpec::tool(spec))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(&context)?;
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
                result.structured_content =
                    Some(answer.structured).filter(|value| !value.is_null());
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

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let caller = self.caller(&context)?;
        let cursor = request.and_then(|page| page.cursor);
        resources::list(&self.gateway, &caller, cursor, &context.ct).await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let caller = self.caller(&context)?;
        if !caller.principal.may(Scope::Read) {
            return Ok(ListResourceTemplatesResult::with_all_items(Vec::new()));
        }
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = self.caller(&context)?;
        let read = resources::read(&self.gateway, &caller, &request.uri, &context.ct).await?;
        Ok(read.into())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(listening::accepted(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let caller = self.caller(context.request_context())?;
        resources::allow(&caller.principal)?;
        let ended = self.gateway.teller.ended();
        listening::listen(&self.gateway, &caller.principal.name, context, &ended).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let caller = self.caller(&context)?;
        resources::allow(&caller.principal)?;
        resources::path_of(&request.uri)?;
        // What says that the client is ready may still be on its way to us.
        let Some(place) = self.placed(&caller.principal, &context.peer) else {
            return Err(ErrorData::invalid_request(
                "changes are not told over this connection; read the note again when you need it",
                None,
            ));
        };
        place
            .subscriber
            .follow(request.uri)
            .map_err(|reason| ErrorData::invalid_request(reason, None))
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.caller(&context)?;
        if let Some(place) = self.place.get() {
            place.subscriber.unfollow(&request.uri);
        }
        Ok(())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(misread(&request.method))
    }

    /// From now on the client is told of changes.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let principal = self.principal(&context.extensions);
        self.placed(&principal, &context.peer);
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }
}

/// Methods that this server knows; what arrives as an unknown request under one of these names
/// has parameters that do not fit.
const METHODS: [&str; 11] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
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
