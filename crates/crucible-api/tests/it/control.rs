//! Events told from outside, health over time, figures over time, modes of search.

use crucible_services::access::Scope;
use serde_json::json;

use crate::rig::{Rig, request};

#[tokio::test]
async fn event_told_from_outside_is_routed_in_the_name_of_its_teller() {
    let rig = Rig::guarded().await;
    let token = rig.token("backup", &[Scope::Control, Scope::Read]).await;
    let body = json!({
        "name": "backup_finished",
        "payload": { "kind": "json", "data": { "files": 3 } },
        "labels": { "host": "nas" },
    });
    let mut request = request("POST", "/api/v1/events").map(|_| body.to_string().into());
    request
        .headers_mut()
        .insert("authorization", token.parse().unwrap());
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let receipt = rig.answer(request).await.json();
    assert_eq!(
        (&receipt["accepted"], &receipt["deliveries"]),
        (&json!(0), &json!([]))
    );

    let id = receipt["id"].as_str().unwrap();
    let target = format!("/api/v1/events/recent?correlation={id}");
    let recent = rig
        .ask("GET", &target, &[("authorization", &token)])
        .await
        .json();
    assert_eq!(recent.as_array().unwrap().len(), 1);
    assert_eq!(
        recent[0]["source"],
        json!({ "kind": "external", "id": "api:backup" })
    );
    assert_eq!(recent[0]["event_type"]["name"], "backup_finished");
    assert_eq!(recent[0]["payload"]["data"], json!({ "files": 3 }));
}

#[tokio::test]
async fn event_for_nobody_says_who_did_not_take_it() {
    let rig = Rig::new().await;
    let body = json!({ "name": "x", "targets": [{ "service": "nobody" }] });
    let receipt = rig.tell("POST", "/api/v1/events", &body).await.json();
    assert_eq!(
        receipt["deliveries"],
        json!([{
            "service": "nobody",
            "instance": null,
            "refused": "no such service is registered",
        }])
    );
}

#[tokio::test]
async fn events_that_are_not_valid_are_refused_with_the_field() {
    let rig = Rig::new().await;
    for (body, word) in [
        (json!({ "name": " " }), "event_type.name"),
        (json!({}), "name"),
        (json!({ "name": "x", "source": "core" }), "source"),
        (
            json!({ "name": "x", "payload": { "kind": "binary", "data": "?" } }),
            "payload",
        ),
    ] {
        let answer = rig.tell("POST", "/api/v1/events", &body).await;
        assert_eq!(answer.fault(), (400, "invalid_body".to_owned()), "{body}");
        assert!(answer.text.contains(word), "{}", answer.text);
    }
}

#[tokio::test]
async fn correlation_that_is_no_id_is_refused() {
    let rig = Rig::new().await;
    let answer = rig.get("/api/v1/events/recent?correlation=x").await;
    assert_eq!(answer.fault(), (400, "invalid_query".to_owned()));
}

#[tokio::test]
async fn health_is_asked_anew_and_remembered() {
    let rig = crate::services::rig().await;
    assert_eq!(
        rig.get("/api/v1/health/now").await.json()["status"],
        "healthy"
    );
    assert_eq!(
        rig.get("/api/v1/health/live").await.json(),
        json!({ "status": "ok" })
    );
    assert_eq!(rig.get("/api/v1/health/ready").await.status, 200);
    let all = rig.get("/api/v1/health/history").await.json();
    assert!(all.as_array().unwrap().len() >= 4, "{all}");
    let one = rig
        .get("/api/v1/health/history?service=vault&limit=1")
        .await
        .json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(one[0]["service"], "vault");
    let none = rig.get("/api/v1/health/history?service=vautl").await;
    assert_eq!(none.fault(), (404, "no_such_service".to_owned()));
    rig.core.stop_service("vault").await.unwrap();
    assert_eq!(rig.get("/api/v1/health/ready").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn figures_are_sampled_over_time() {
    let rig = Rig::new().await;
    let mut samples = json!([]);
    while samples.as_array().unwrap().len() < 2 {
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        samples = rig.get("/api/v1/metrics/history?limit=2").await.json();
    }
    assert!(samples[0]["at"].as_str() <= samples[1]["at"].as_str());
}

#[tokio::test]
async fn search_takes_a_mode_and_refuses_an_unknown_one() {
    let rig = Rig::new().await;
    for mode in ["auto", "lexical", "semantic", "hybrid"] {
        let answer = rig
            .get(&format!("/api/v1/search?q=bread&mode={mode}"))
            .await;
        assert_eq!(answer.status, 200, "{mode}");
    }
    for odd in ["mode=psychic", "mode=", "mode=auto&mode=hybrid"] {
        let answer = rig.get(&format!("/api/v1/search?q=bread&{odd}")).await;
        assert_eq!(answer.fault(), (400, "invalid_query".to_owned()), "{odd}");
        assert!(answer.text.contains("mode"), "{}", answer.text);
    }
}
