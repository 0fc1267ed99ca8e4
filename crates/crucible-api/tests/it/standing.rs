//! Streams end with the right to them: when a token is revoked or expires, when a session is left.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::any;

use crucible_api::ApiConfig;
use crucible_api::auth::{AccessControl, NewToken};
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::access::Scope;
use crucible_services::clock;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventSource, EventType, FilesystemEventType,
};
use crucible_services::state_store::MemoryState;
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::login::own;
use crate::rig::{Rig, request};
use crate::sse::{Block, Reader};

const EVENTS: &str = "/api/v1/events";

/// Returns what comes next, or `None` at the end of the stream; a stream that does neither fails.
async fn next(reader: &mut Reader) -> Option<Block> {
    soon(reader.next()).await
}

async fn soon<F: Future>(future: F) -> F::Output {
    let outcome = tokio::time::timeout(Duration::from_secs(30), future).await;
    outcome.expect("the stream goes on, and says nothing")
}

async fn listen(rig: &Rig, header: (&'static str, &str)) -> Reader {
    Reader::open(rig.open("GET", EVENTS, &[header]).await).await
}

async fn tell(rig: &Rig, path: &str) {
    let modified = FilesystemEventType::FileModified {
        path: path.to_owned(),
    };
    let event = DaemonEvent::new(
        EventType::Filesystem(modified),
        EventSource::filesystem("vault"),
        EventPayload::text(""),
    );
    rig.core.route_event(event).await.unwrap();
}

#[tokio::test]
async fn stream_of_a_revoked_token_ends_and_those_of_others_go_on() {
    let rig = Rig::guarded().await;
    let owner = rig.token("owner", &[Scope::Control]).await;
    let laptop = rig.token("laptop", &[Scope::Read]).await;
    let other = rig.token("other", &[Scope::Read]).await;
    let mut ending = listen(&rig, ("authorization", &laptop)).await;
    let mut going_on = listen(&rig, ("authorization", &other)).await;
    tell(&rig, "a.md").await;
    assert!(next(&mut ending).await.unwrap().data.contains("a.md"));

    let own = [("authorization", owner.as_str())];
    let revoked = rig.ask("DELETE", "/api/v1/tokens/laptop", &own).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(next(&mut ending).await, None);
    tell(&rig, "b.md").await;
    assert!(next(&mut going_on).await.unwrap().data.contains("a.md"));
    assert!(next(&mut going_on).await.unwrap().data.contains("b.md"));
    let again = rig.ask("GET", EVENTS, &[("authorization", &laptop)]).await;
    assert_eq!(again.fault(), (401, "token_refused".to_owned()));
}

#[tokio::test]
async fn stream_ends_when_its_token_expires() {
    let rig = Rig::guarded().await;
    let soon = clock::now() + SignedDuration::from_millis(800);
    let token = NewToken::new("short", [Scope::Read]).until(soon);
    let made = rig.access.create(token).await.unwrap();
    let bearer = format!("Bearer {}", made.secret.reveal());
    let mut reader = listen(&rig, ("authorization", &bearer)).await;
    assert_eq!(next(&mut reader).await, None);
    assert!(clock::now() >= soon);
}

#[tokio::test]
async fn stream_ends_when_its_session_is_left() {
    let rig = Rig::guarded().await;
    let (cookie, stays) = (rig.log_in().await, rig.log_in().await);
    let mut reader = listen(&rig, ("cookie", &cookie)).await;
    let mut going_on = listen(&rig, ("cookie", &stays)).await;
    let form = rig.form_guard(&cookie).await;
    let left = rig.form("/logout", &cookie, &own(), &form).await;
    assert_eq!(left.status, 303);
    assert_eq!(next(&mut reader).await, None);
    tell(&rig, "a.md").await;
    assert!(next(&mut going_on).await.unwrap().data.contains("a.md"));
}

#[tokio::test(start_paused = true)]
async fn stream_ends_when_its_session_has_been_idle_too_long() {
    let config = ApiConfig {
        keep_alive: Duration::from_secs(24 * 60 * 60),
        ..ApiConfig::default()
    };
    let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
    core.start().await.unwrap();
    let access = AccessControl::new(Arc::new(MemoryState::default()));
    let rig = Rig::whole(core, config, None, access);
    let cookie = rig.log_in().await;
    let mut reader = listen(&rig, ("cookie", &cookie)).await;
    assert_eq!(reader.next().await, None);
    let refused = rig.ask("GET", EVENTS, &[("cookie", &cookie)]).await;
    assert_eq!(refused.fault(), (401, "unauthenticated".to_owned()));
}

/// A gateway each of whose answers is one piece and then silence; it begins when `gate` says so.
async fn rig_with_a_silent_gateway(gate: Arc<Notify>) -> Rig {
    let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
    core.start().await.unwrap();
    let answer = any(move || {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            let first = Ok::<_, Infallible>(Bytes::from_static(b"data: 1\n\n"));
            let pieces = futures_util::stream::iter([first]).chain(futures_util::stream::pending());
            Response::new(Body::from_stream(pieces))
        }
    });
    let access = AccessControl::new(Arc::new(MemoryState::default()));
    let gateway = Router::new().fallback_service(answer);
    Rig::whole(core, ApiConfig::default(), Some(gateway), access)
}

#[tokio::test]
async fn streams_of_mcp_end_when_their_token_is_revoked() {
    let gate = Arc::new(Notify::new());
    let rig = rig_with_a_silent_gateway(Arc::clone(&gate)).await;
    for method in ["GET", "POST"] {
        let agent = rig.token("agent", &[Scope::Read]).await;
        gate.notify_one();
        let response = rig.open(method, "/mcp", &[("authorization", &agent)]).await;
        let mut body = response.into_body();
        let piece = soon(body.frame()).await.unwrap().unwrap();
        assert_eq!(&piece.into_data().unwrap()[..], b"data: 1\n\n", "{method}");
        rig.access.revoke("agent").await.unwrap();
        assert!(soon(body.frame()).await.is_none(), "{method}");
    }
}

#[tokio::test]
async fn stream_that_begins_after_its_token_was_revoked_tells_nothing() {
    let gate = Arc::new(Notify::new());
    let rig = rig_with_a_silent_gateway(Arc::clone(&gate)).await;
    let agent = rig.token("agent", &[Scope::Read]).await;
    let mut asked = request("GET", "/mcp");
    let bearer = agent.parse().unwrap();
    asked.headers_mut().insert("authorization", bearer);
    let mut answer = std::pin::pin!(rig.send(asked));
    // The request is past the door and waits inside.
    while rig.access.list().await.unwrap()[0].used_at.is_none() {
        assert!(futures_util::poll!(answer.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    rig.access.revoke("agent").await.unwrap();
    gate.notify_one();
    let mut body = soon(answer).await.into_body();
    assert!(soon(body.frame()).await.is_none());
}
