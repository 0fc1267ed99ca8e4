//! Scripts: what reaches the engine, and how its refusals come back.

use std::sync::Arc;

use axum::Router;
use crucible_api::auth::AccessControl;
use crucible_api::router::router_with;
use crucible_api::{ApiConfig, ApiParts};
use crucible_core::{CoreConfig, CrucibleCore};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::rig::{PORT, Rig, parts};
use crate::script_twin::ScriptTwin;
use crate::twin::Twin;

async fn rig() -> (Rig, Arc<ScriptTwin>) {
    let rig = Rig::new().await;
    let twin = Arc::new(ScriptTwin::default());
    let router = router(&rig.core, &twin);
    (Rig { router, ..rig }, twin)
}

fn router(core: &CrucibleCore, scripts: &Arc<ScriptTwin>) -> Router {
    let parts = ApiParts {
        scripts: Some(Arc::clone(scripts) as _),
        access: AccessControl::open(),
        ..parts(core, &Arc::new(Twin::sample()), None)
    };
    router_with(
        ApiConfig::default(),
        parts,
        Some(PORT),
        CancellationToken::new(),
    )
}

#[tokio::test]
async fn scripts_are_listed_and_shown_with_what_they_ask_for() {
    let (rig, _twin) = rig().await;
    let listed = rig.get("/api/v1/scripts").await.json();
    assert_eq!(listed[0]["name"], "digest");
    let shown = rig.get("/api/v1/scripts/digest").await.json();
    assert_eq!(shown["requested"], json!(["kv", "notes.read: **"]));
    let missing = rig.get("/api/v1/scripts/digst").await;
    assert_eq!(missing.fault(), (404, "no_such_script".to_owned()));
    assert_eq!(missing.json()["error"]["candidates"], json!(["digest"]));
}

#[tokio::test]
async fn a_grant_names_the_manifest_that_was_seen() {
    let (rig, twin) = rig().await;
    let stale = json!({ "manifest": "0", "capabilities": ["kv"] });
    let refused = rig
        .tell("POST", "/api/v1/scripts/digest/grant", &stale)
        .await;
    assert_eq!(refused.fault(), (409, "refused".to_owned()));
    let seen = json!({ "manifest": "2".repeat(64), "capabilities": ["kv"] });
    let granted = rig
        .tell("POST", "/api/v1/scripts/digest/grant", &seen)
        .await;
    assert_eq!(granted.json()["granted"], json!(["kv"]));
    assert!(twin.asked()[0].starts_with("api:"), "{:?}", twin.asked());
    assert!(twin.asked()[0].ends_with("grants kv"), "{:?}", twin.asked());
    let slip = json!({ "manifest": "2", "capability": ["kv"] });
    let refused = rig
        .tell("POST", "/api/v1/scripts/digest/grant", &slip)
        .await;
    assert_eq!(refused.fault(), (400, "invalid_body".to_owned()));
}

#[tokio::test]
async fn a_call_gives_value_writes_and_host_calls() {
    let (rig, twin) = rig().await;
    let call = json!({ "function": "changed", "arguments": [{ "path": "a.md" }], "dry_run": true });
    let answer = rig
        .tell("POST", "/api/v1/scripts/digest/call", &call)
        .await
        .json();
    assert_eq!(answer["value"], json!({ "n": 1 }));
    assert_eq!(answer["writes"], json!(["create a.md"]));
    assert_eq!(answer["host_calls"]["notes.read"], 2);
    assert!(twin.asked()[0].ends_with("true"), "{:?}", twin.asked());
    let many = json!({ "function": "f", "arguments": vec![1; 17] });
    let refused = rig.tell("POST", "/api/v1/scripts/digest/call", &many).await;
    assert_eq!(refused.fault(), (400, "invalid_body".to_owned()));
    let stopped = rig
        .tell(
            "POST",
            "/api/v1/scripts/digest/call",
            &json!({ "function": "loops" }),
        )
        .await;
    assert_eq!(stopped.fault(), (500, "script_failed".to_owned()));
}

#[tokio::test]
async fn faults_of_a_script_say_where() {
    let (rig, _twin) = rig().await;
    let reloaded = rig.post("/api/v1/scripts/digest/reload").await;
    assert_eq!(reloaded.fault(), (422, "script_refused".to_owned()));
    let message = reloaded.json()["error"]["message"].to_string();
    assert!(message.contains("line 3"), "{message}");
    let empty = rig
        .tell("POST", "/api/v1/check-script", &json!({ "source": "" }))
        .await;
    assert_eq!(empty.fault(), (422, "script_refused".to_owned()));
    let fine = rig
        .tell("POST", "/api/v1/check-script", &json!({ "source": "x" }))
        .await;
    assert_eq!(fine.json(), json!({ "ok": true }));
}

#[tokio::test]
async fn log_lines_come_in_a_bounded_number() {
    let (rig, _twin) = rig().await;
    let lines = rig.get("/api/v1/scripts/digest/log?limit=2").await.json();
    assert_eq!(lines.as_array().unwrap().len(), 2);
    let refused = rig.get("/api/v1/scripts/digest/log?limit=5000").await;
    assert_eq!(refused.fault(), (400, "invalid_query".to_owned()));
    let missing = rig.get("/api/v1/scripts/none/log").await;
    assert_eq!(missing.fault(), (404, "no_such_script".to_owned()));
}

#[tokio::test]
async fn a_daemon_without_scripts_says_so() {
    let rig = Rig::new().await;
    let answer = rig.get("/api/v1/scripts").await;
    assert_eq!(answer.fault(), (501, "not_offered".to_owned()));
}

#[tokio::test]
async fn the_client_speaks_to_the_engine_as_if_it_were_here() {
    use crucible_services::script::{CallRequest, Error};
    use crucible_services::service_traits::ScriptEngine as _;

    let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
    core.start().await.unwrap();
    let twin = Arc::new(ScriptTwin::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let parts = ApiParts {
        scripts: Some(Arc::clone(&twin) as _),
        access: AccessControl::open(),
        ..parts(&core, &Arc::new(Twin::sample()), None)
    };
    let config = ApiConfig::default();
    let app = router_with(
        config,
        parts,
        Some(address.port()),
        CancellationToken::new(),
    );
    let serve = async move { axum::serve(listener, app).await };
    let ask = async {
        let client = crucible_api::client::Client::new(address);
        let info = client.scripts().await.unwrap().remove(0);
        let kv = ["kv".to_owned()];
        let granted = client
            .grant("digest", &info.manifest, &kv, "me")
            .await
            .unwrap();
        assert_eq!(granted.granted, kv);
        let request = CallRequest {
            script: "digest".to_owned(),
            function: "f".to_owned(),
            arguments: vec![json!(1)],
            budget: None,
            cause: None,
            dry_run: false,
        };
        let outcome = client.call(request.clone()).await.unwrap();
        assert_eq!(outcome.value, json!({ "n": 1 }));
        let nobody = CallRequest {
            script: "no such".to_owned(),
            ..request
        };
        let missing = Error::NotFound("no such".to_owned());
        assert_eq!(client.call(nobody).await, Err(missing));
        assert_eq!(client.log("digest", 2).await.unwrap().len(), 2);
        assert!(
            matches!(client.reload("digest").await, Err(Error::Failed(why)) if why.contains("line 3"))
        );
        client.check("x").await.unwrap();
        assert!(client.check("").await.is_err());
    };
    tokio::select! {
        served = serve => panic!("{served:?}"),
        () = ask => {}
    }
}
