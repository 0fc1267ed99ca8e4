//! A core, a store and a router in front of them; and a request as one call.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use crucible_api::auth::{AccessControl, NewToken};
use crucible_api::router::router_with;
use crucible_api::{ApiConfig, ApiParts, VaultInfo};
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::access::Scope;
use crucible_services::state_store::MemoryState;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::schema::check_answer;
use crate::settings_twin::SettingsTwin;
use crate::twin::Twin;
use crate::writer_twin::WriterTwin;

/// The port that the router believes it listens on.
pub(crate) const PORT: u16 = 7417;

pub(crate) struct Rig {
    pub(crate) core: CrucibleCore,
    pub(crate) twin: Arc<Twin>,
    pub(crate) writer: Arc<WriterTwin>,
    pub(crate) settings: Arc<SettingsTwin>,
    pub(crate) access: AccessControl,
    pub(crate) closing: CancellationToken,
    pub(crate) router: Router,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(ApiConfig::default()).await
    }

    pub(crate) async fn with(config: ApiConfig) -> Self {
        let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
        core.start().await.unwrap();
        Self::over(core, config, None)
    }

    pub(crate) fn over(core: CrucibleCore, config: ApiConfig, mcp: Option<Router>) -> Self {
        Self::whole(core, config, mcp, AccessControl::open())
    }

    /// A rig whose requests must say who they come from.
    pub(crate) async fn guarded() -> Self {
        let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
        core.start().await.unwrap();
        let mcp = Router::new().fallback(|| async { "mcp" });
        let access = AccessControl::new(Arc::new(MemoryState::default()));
        Self::whole(core, ApiConfig::default(), Some(mcp), access)
    }

    pub(crate) fn whole(
        core: CrucibleCore,
        config: ApiConfig,
        mcp: Option<Router>,
        access: AccessControl,
    ) -> Self {
        let twin = Arc::new(Twin::sample());
        let writer = Arc::new(WriterTwin::default());
        let settings = Arc::new(SettingsTwin::default());
        let parts = ApiParts {
            writer: Some(Arc::clone(&writer) as _),
            configuration: Some(Arc::clone(&settings) as _),
            access: access.clone(),
            ..parts(&core, &twin, mcp)
        };
        let closing = CancellationToken::new();
        Self {
            core,
            twin,
            writer,
            settings,
            access,
            router: router_with(config, parts, Some(PORT), closing.clone()),
            closing,
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    pub(crate) async fn post(&self, target: &str) -> Answer {
        self.ask("POST", target, &[]).await
    }

    /// Sends a JSON body.
    pub(crate) async fn tell(&self, method: &str, target: &str, body: &Value) -> Answer {
        let mut request = request(method, target).map(|_| Body::from(body.to_string()));
        let json = "application/json".parse().unwrap();
        request.headers_mut().insert("content-type", json);
        self.answer(request).await
    }

    /// Sends a request with more headers.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let mut request = request(method, target);
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        self.answer(request).await
    }

    /// Sends a request with more headers, and reads no body: it may never end.
    pub(crate) async fn open(
        &self,
        method: &str,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Response {
        let mut request = request(method, target);
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        self.send(request).await
    }

    /// Sends a request, and holds the answer against the description of the API.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Answer {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let answer = Answer::read(self.send(request).await).await;
        let media_type = answer.headers.get("content-type");
        if media_type.is_some_and(|t| t == "application/json") && method != "HEAD" {
            check_answer(&method, &path, answer.status.as_u16(), &answer.json());
        }
        answer
    }

    /// Makes a token with these scopes, and returns the header that carries it.
    pub(crate) async fn token(&self, name: &str, scopes: &[Scope]) -> String {
        let token = NewToken::new(name, scopes.iter().copied());
        let made = self.access.create(token).await.unwrap();
        format!("Bearer {}", made.secret.reveal())
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }
}

pub(crate) fn parts(core: &CrucibleCore, twin: &Arc<Twin>, mcp: Option<Router>) -> ApiParts {
    let vault = VaultInfo {
        name: "Bakery <b>".to_owned(),
        path: "/vaults/Bakery".into(),
        index_dir: "/data/bakery".into(),
    };
    ApiParts {
        mcp,
        ..ApiParts::new(
            core.clone(),
            Arc::clone(twin) as _,
            vault,
            AccessControl::open(),
        )
    }
}

pub(crate) fn request(method: &str, target: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(target)
        .header("host", format!("127.0.0.1:{PORT}"))
        .body(Body::empty())
        .unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Returns the status and the code of the error envelope.
    pub(crate) fn fault(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }

    /// Returns the body for a snapshot: indented, with what differs from run to run struck out.
    pub(crate) fn snapshot(&self) -> String {
        let mut value = self.json();
        redact(&mut value);
        serde_json::to_string_pretty(&value).unwrap()
    }
}

fn redact(value: &mut Value) {
    const DIFFERS: [&str; 6] = [
        "id",
        "timestamp",
        "correlation_id",
        "checked_at",
        "since",
        "version",
    ];
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(fields) => {
            for (name, field) in fields {
                if DIFFERS.contains(&name.as_str()) && field.is_string() {
                    *field = Value::from(format!("[{name}]"));
                } else {
                    redact(field);
                }
            }
        }
        _ => {}
    }
}
