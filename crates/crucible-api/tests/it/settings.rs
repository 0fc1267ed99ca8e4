//! The settings in force: shown, checked, changed, refused.

use serde_json::json;

use crate::rig::Rig;

#[tokio::test]
async fn settings_are_shown_with_their_origin_and_never_a_secret() {
    let rig = Rig::new().await;
    let answer = rig.get("/api/v1/config").await;
    assert!(!answer.text.contains("hunter2"));
    insta::assert_snapshot!(answer.snapshot(), @r##"
    [
      {
        "path": "search.limit",
        "value": 10,
        "origin": {
          "layer": "default"
        },
        "secret": false,
        "live": true,
        "about": "A setting."
      },
      {
        "path": "inference.key",
        "value": null,
        "origin": {
          "layer": "file",
          "path": "/etc/crucible.toml"
        },
        "secret": true,
        "live": true,
        "about": "A setting."
      }
    ]
    "##);
}

#[tokio::test]
async fn change_is_made_in_the_name_of_who_asked() {
    let rig = Rig::new().await;
    let change = json!([{ "path": "search.limit", "value": 20 }]);
    let answer = rig.tell("PATCH", "/api/v1/config", &change).await;
    assert_eq!(answer.json()["paths"], json!(["search.limit"]));
    assert_eq!(rig.get("/api/v1/config").await.json()[0]["value"], 20);
    assert_eq!(*rig.settings.by.lock().unwrap(), "api:local");
}

#[tokio::test]
async fn faults_are_listed_and_change_nothing() {
    let rig = Rig::new().await;
    let change = json!([
        { "path": "search.limit", "value": 20 },
        { "path": "a", "value": 1 },
        { "path": "b", "value": 2 },
    ]);
    for (method, target) in [
        ("PATCH", "/api/v1/config"),
        ("POST", "/api/v1/config/validate"),
    ] {
        let answer = rig.tell(method, target, &change).await;
        assert_eq!(answer.fault(), (422, "invalid_settings".to_owned()));
        let faults = &answer.json()["error"]["faults"];
        assert_eq!(
            *faults,
            json!(["\"a\" is not a setting", "\"b\" is not a setting"])
        );
    }
    assert_eq!(rig.get("/api/v1/config").await.json()[0]["value"], 10);
    let good = json!([{ "path": "search.limit", "value": 30 }]);
    let checked = rig.tell("POST", "/api/v1/config/validate", &good).await;
    assert_eq!(checked.status, 204);
    assert_eq!(rig.get("/api/v1/config").await.json()[0]["value"], 10);
}

#[tokio::test]
async fn service_that_refuses_is_named() {
    let rig = Rig::new().await;
    let change = json!([{ "path": "guarded", "value": 1 }]);
    let answer = rig.tell("PATCH", "/api/v1/config", &change).await;
    assert_eq!(answer.fault(), (409, "refused".to_owned()));
    assert_eq!(answer.json()["error"]["reference"], "vault");
}
