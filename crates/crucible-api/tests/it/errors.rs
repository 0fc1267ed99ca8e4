//! Every fault: its status, its code, one envelope.

use crate::rig::{Rig, request};

async fn check(target: &str, status: u16, code: &str) {
    let rig = Rig::new().await;
    let answer = rig.get(target).await;
    assert_eq!(answer.fault(), (status, code.to_owned()), "{target}");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn faults_of_the_store_have_their_own_status() {
    check("/api/v1/notes/Nothing", 404, "not_found").await;
    check("/api/v1/links/Nothing", 404, "not_found").await;
    check("/api/v1/notes/@ambiguous", 409, "ambiguous").await;
    check("/api/v1/search?q=@invalid", 400, "invalid_query").await;
    check("/api/v1/search?q=@unavailable", 503, "unavailable").await;
    check("/api/v1/search?q=@internal", 500, "internal").await;
}

#[tokio::test]
async fn parameters_are_checked_by_name() {
    for (target, name) in [
        ("/api/v1/search", "`q`"),
        ("/api/v1/search?q=a&limit=0", "`limit`"),
        ("/api/v1/search?q=a&limit=101", "`limit`"),
        ("/api/v1/search?q=a&q=b", "`q`"),
        ("/api/v1/search?q=a&lmit=3", "lmit"),
        ("/api/v1/notes?limit=1001", "`limit`"),
        ("/api/v1/notes?tags=a", "tags"),
        ("/api/v1/notes/Home?x=1", "x"),
        ("/api/v1/problems?limit=-1", "`limit`"),
        ("/api/v1/stats?x", "x"),
        ("/api/v1/events?category=weather", "`category`"),
        ("/api/v1/events?source=nobody", "`source`"),
        ("/api/v1/events?type=created", "`type`"),
        ("/api/v1/events?named=maybe", "`named`"),
        ("/api/v1/events/recent?limit=0", "`limit`"),
    ] {
        let answer = Rig::new().await.get(target).await;
        assert_eq!(
            answer.fault(),
            (400, "invalid_query".to_owned()),
            "{target}"
        );
        let message = answer.json()["error"]["message"].to_string();
        assert!(message.contains(name), "{target}: {message}");
    }
}

#[tokio::test]
async fn path_that_is_not_utf_8_is_refused() {
    check("/api/v1/notes/%FF", 400, "invalid_query").await;
}

#[tokio::test]
async fn unknown_paths_answer_in_the_envelope() {
    for target in [
        "/nothing",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v2/health",
        "/mcp",
        "/note/",
    ] {
        check(target, 404, "no_such_route").await;
    }
}

#[tokio::test]
async fn other_methods_answer_in_the_envelope_and_name_the_allowed_ones() {
    let rig = Rig::new().await;
    let answer = rig.post("/api/v1/search?q=a").await;
    assert_eq!(answer.fault(), (405, "method_not_allowed".to_owned()));
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let answer = rig.get("/api/v1/services/api/stop").await;
    assert_eq!(answer.fault(), (405, "method_not_allowed".to_owned()));
    assert_eq!(
        rig.send(request("HEAD", "/api/v1/stats")).await.status(),
        200
    );
}

#[tokio::test]
async fn envelope_names_cause_cure_and_candidates() {
    let rig = Rig::new().await;
    insta::assert_snapshot!(rig.get("/api/v1/notes/@ambiguous").await.snapshot(), @r##"
        {
          "error": {
            "code": "ambiguous",
            "message": "several notes are called \"@ambiguous\": Bread.md, Home.md; give the path",
            "hint": "ask for one of the candidates by its path",
            "candidates": [
              "Bread.md",
              "Home.md"
            ],
            "reference": "@ambiguous"
          }
        }
    "##);
    insta::assert_snapshot!(rig.get("/api/v1/search?q=@unavailable").await.snapshot(), @r##"
        {
          "error": {
            "code": "unavailable",
            "message": "the data store is unavailable: the index is being rebuilt",
            "hint": "ask again in a moment; GET /api/v1/health says what is wrong",
            "reason": "the index is being rebuilt"
          }
        }
    "##);
    insta::assert_snapshot!(rig.get("/api/v1/search?lmit=1").await.snapshot(), @r##"
        {
          "error": {
            "code": "invalid_query",
            "message": "parameter \"lmit\" is not known here",
            "hint": "this resource takes q, limit, folder, tag, mode"
          }
        }
    "##);
}
