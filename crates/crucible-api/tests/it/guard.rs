//! Who may ask, and what every answer carries.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use crucible_api::ApiConfig;
use futures_util::StreamExt as _;

use crate::rig::{Answer, Rig, request};

async fn ask(rig: &Rig, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    Answer::read(rig.send(request).await).await
}

#[tokio::test]
async fn foreign_host_is_refused_on_every_path() {
    let rig = Rig::new().await;
    for target in [
        "/",
        "/livez",
        "/api/v1/health",
        "/api/v1/events",
        "/nothing",
        "/mcp",
    ] {
        let answer = ask(&rig, "GET", target, &[("host", "evil.example:7417")]).await;
        assert_eq!(answer.fault(), (403, "host_refused".to_owned()), "{target}");
    }
}

#[tokio::test]
async fn foreign_origin_is_refused_and_never_allowed_by_a_header() {
    let rig = Rig::new().await;
    let headers = [
        ("host", "localhost:7417"),
        ("origin", "http://evil.example"),
    ];
    for method in ["GET", "POST", "OPTIONS"] {
        let answer = ask(&rig, method, "/api/v1/services/api/stop", &headers).await;
        assert_eq!(answer.fault(), (403, "origin_refused".to_owned()));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn own_origin_may_ask() {
    let rig = Rig::new().await;
    let headers = [
        ("host", "localhost:7417"),
        ("origin", "http://localhost:7417"),
    ];
    assert_eq!(
        ask(&rig, "GET", "/api/v1/stats", &headers).await.status,
        200
    );
}

#[tokio::test]
async fn refusals_and_answers_carry_the_security_headers() {
    let rig = Rig::new().await;
    let refused = ask(&rig, "GET", "/", &[("host", "evil.example")]).await;
    for answer in [refused, rig.get("/").await, rig.get("/api/v1/stats").await] {
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn mcp_is_mounted_behind_the_guard() {
    let mcp = Router::new().fallback(get(|| async { "mcp" }).post(|| async { "mcp" }));
    let rig = Rig::new().await;
    let rig = Rig::over(rig.core.clone(), ApiConfig::default(), Some(mcp));
    for target in ["/mcp", "/mcp/", "/mcp/profile"] {
        assert_eq!(rig.post(target).await.text, "mcp", "{target}");
        let foreign = ask(&rig, "POST", target, &[("host", "evil.example")]).await;
        assert_eq!(foreign.status, 403);
    }
}

#[tokio::test]
async fn listening_at_mcp_ends_when_the_api_closes() {
    let forever = || async {
        let first = futures_util::stream::iter([Ok::<_, std::io::Error>("listening")]);
        Body::from_stream(first.chain(futures_util::stream::pending()))
    };
    let mcp = Router::new().fallback(get(forever));
    let rig = Rig::new().await;
    let rig = Rig::over(rig.core.clone(), ApiConfig::default(), Some(mcp));
    let response = rig.send(request("GET", "/mcp")).await;
    rig.closing.cancel();
    assert_eq!(Answer::read(response).await.status, 200);
}

#[tokio::test]
async fn mcp_bounds_bodies_itself() {
    let echo = |body: String| async move { body.len().to_string() };
    let mcp = Router::new().fallback(axum::routing::post(echo));
    let rig = Rig::new().await;
    let rig = Rig::over(rig.core.clone(), ApiConfig::default(), Some(mcp));
    let request = request("POST", "/mcp").map(|_| Body::from("x".repeat(100_000)));
    assert_eq!(Answer::read(rig.send(request).await).await.text, "100000");
}
