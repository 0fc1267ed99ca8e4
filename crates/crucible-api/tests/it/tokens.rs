//! Tokens: made, used, refused.

use std::sync::Arc;

use crucible_api::ApiConfig;
use crucible_api::auth::{AccessControl, Error, NewToken};
use crucible_services::access::Scope;
use crucible_services::clock;
use crucible_services::state_store::{MemoryState, StateStore, StateWrite};
use jiff::SignedDuration;
use serde_json::json;

use crate::rig::{Answer, Rig};

async fn with(rig: &Rig, authorization: &str) -> Answer {
    let headers = [("authorization", authorization)];
    rig.ask("GET", "/api/v1/stats", &headers).await
}

#[tokio::test]
async fn token_is_made_used_listed_and_revoked_through_the_api() {
    let rig = Rig::guarded().await;
    let owner = rig.token("owner", &[Scope::Control]).await;
    let body = json!({ "name": "laptop", "scopes": ["read"] });
    let mut request =
        crate::rig::request("POST", "/api/v1/tokens").map(|_| body.to_string().into());
    request
        .headers_mut()
        .insert("authorization", owner.parse().unwrap());
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let made = rig.answer(request).await;
    assert_eq!(made.status, 201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("crb_") && token.len() == 47, "{token}");

    assert_eq!(with(&rig, &format!("Bearer {token}")).await.status, 200);
    let own = [("authorization", owner.as_str())];
    let listed = rig.ask("GET", "/api/v1/tokens", &own).await;
    assert!(!listed.text.contains(&token));
    let laptop = &listed.json()[0];
    assert_eq!(
        (&laptop["name"], &laptop["scopes"]),
        (&json!("laptop"), &json!(["read"]))
    );
    assert!(laptop["used_at"].is_string());

    let revoked = rig.ask("DELETE", "/api/v1/tokens/laptop", &own).await;
    assert_eq!(revoked.status, 204);
    let refused = with(&rig, &format!("Bearer {token}")).await;
    assert_eq!(refused.fault(), (401, "token_refused".to_owned()));
    assert!(refused.header("www-authenticate").contains("invalid_token"));
    let gone = rig.ask("DELETE", "/api/v1/tokens/laptop", &own).await;
    assert_eq!(gone.fault(), (404, "no_such_token".to_owned()));
}

#[tokio::test]
async fn too_few_scopes_are_named() {
    let rig = Rig::guarded().await;
    let reader = rig.token("reader", &[Scope::Read]).await;
    let headers = [("authorization", reader.as_str())];
    let answer = rig.ask("POST", "/api/v1/undo", &headers).await;
    assert_eq!(answer.fault(), (403, "scope_missing".to_owned()));
    assert_eq!(answer.json()["error"]["scope"], "write");
    assert!(
        answer.text.contains("crucible token create --scope write"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn expired_token_is_told_so() {
    let state = Arc::new(MemoryState::default());
    let access = AccessControl::new(Arc::clone(&state) as _);
    let soon = clock::now() + SignedDuration::from_hours(1);
    let token = NewToken::new("short", [Scope::Read]).until(soon);
    let made = access.create(token).await.unwrap();
    // Lets the end pass without waiting for it.
    let kept = state.list("tokens", "hash/", None, 1).await.unwrap();
    let mut info: serde_json::Value = serde_json::from_slice(&kept[0].1).unwrap();
    info["expires_at"] = json!("2020-01-01T00:00:00Z");
    let write = StateWrite::put(kept[0].0.clone(), info.to_string());
    state.write("tokens", vec![write]).await.unwrap();

    let rig = Rig::new().await;
    let rig = Rig::whole(rig.core.clone(), ApiConfig::default(), None, access);
    let answer = with(&rig, &format!("Bearer {}", made.secret.reveal())).await;
    assert_eq!(answer.fault(), (401, "token_refused".to_owned()));
    assert!(answer.text.contains("expired"), "{}", answer.text);
}

#[tokio::test]
async fn nothing_of_a_token_can_be_read_from_the_state() {
    let state = Arc::new(MemoryState::default());
    let access = AccessControl::new(Arc::clone(&state) as _);
    let made = access
        .create(NewToken::new("a", [Scope::Read]))
        .await
        .unwrap();
    let secret = made.secret.reveal();
    for (key, value) in state.list("tokens", "", None, 100).await.unwrap() {
        let value = String::from_utf8(value).unwrap();
        assert!(!key.contains(&secret[4..]) && !value.contains(&secret[4..]));
    }
}

#[tokio::test]
async fn tokens_outlive_the_process_and_issued_ones_do_not() {
    let state = Arc::new(MemoryState::default());
    let before = AccessControl::new(Arc::clone(&state) as _);
    let kept = before
        .create(NewToken::new("kept", [Scope::Read]))
        .await
        .unwrap();
    let issued = before.issue("cli", Scope::ALL).unwrap();
    let core = Rig::new().await.core;
    let after = Rig::whole(
        core,
        ApiConfig::default(),
        None,
        AccessControl::new(state as _),
    );
    let kept = format!("Bearer {}", kept.secret.reveal());
    assert_eq!(with(&after, &kept).await.status, 200);
    let issued = format!("Bearer {}", issued.reveal());
    assert_eq!(with(&after, &issued).await.fault().0, 401);
}

#[tokio::test]
async fn names_are_unique_and_odd_tokens_are_not_made() {
    let rig = Rig::new().await;
    let access = AccessControl::new(Arc::new(MemoryState::default()));
    access
        .create(NewToken::new("a", [Scope::Read]))
        .await
        .unwrap();
    let again = access.create(NewToken::new("a", [Scope::Write])).await;
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");
    assert_eq!(access.list().await.unwrap()[0].scopes, [Scope::Read].into());
    let rig = Rig::whole(
        rig.core.clone(),
        ApiConfig::default(),
        None,
        AccessControl::open(),
    );
    let body = json!({ "name": "b", "scopes": ["read"] });
    let open = rig.tell("POST", "/api/v1/tokens", &body).await;
    assert_eq!(open.fault(), (409, "refused".to_owned()));
    for body in [
        json!({ "name": "b", "scopes": ["root"] }),
        json!({ "name": "b" }),
        json!({ "name": "b", "scopes": ["read"], "admin": true }),
        json!([]),
    ] {
        let answer = rig.tell("POST", "/api/v1/tokens", &body).await;
        assert_eq!(answer.fault(), (400, "invalid_body".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn credentials_of_any_other_form_are_refused() {
    let rig = Rig::guarded().await;
    let good = rig.token("good", &[Scope::Read]).await;
    assert_eq!(with(&rig, &good).await.status, 200);
    let basic = good.replace("Bearer", "Basic");
    let cut = &good[..good.len() - 1];
    let longer = format!("{good}x");
    for odd in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer crb_",
        &basic,
        cut,
        &longer,
        &good[7..],
    ] {
        assert_eq!(with(&rig, odd).await.fault().0, 401, "{odd:?}");
    }
    let twice = [
        ("authorization", good.as_str()),
        ("authorization", good.as_str()),
    ];
    let answer = rig.ask("GET", "/api/v1/stats", &twice).await;
    assert_eq!(answer.fault().0, 401);
}

#[tokio::test]
async fn ten_thousand_wrong_tokens_are_slowed_down_and_good_ones_go_on() {
    let rig = Rig::guarded().await;
    let good = rig.token("good", &[Scope::Read]).await;
    assert_eq!(with(&rig, &good).await.status, 200);
    let issued = rig.access.issue("cli", [Scope::Read]).unwrap();
    let issued = format!("Bearer {}", issued.reveal());
    let (mut refused, mut slowed) = (0, 0);
    for number in 0..10_000 {
        let wrong = format!("Bearer crb_{number:043}");
        let answer = with(&rig, &wrong).await;
        match answer.fault().0 {
            401 => refused += 1,
            429 => {
                assert!(answer.headers.contains_key("retry-after"));
                slowed += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(refused + slowed, 10_000);
    assert!(
        refused < 500 && slowed > 9_000,
        "{refused} refused, {slowed} slowed"
    );
    assert_eq!(with(&rig, &good).await.status, 200);
    assert_eq!(with(&rig, &issued).await.status, 200);
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_with_a_good_token_too() {
    let rig = Rig::guarded().await;
    let good = rig.token("good", &[Scope::Read]).await;
    let foreign = [
        ("authorization", good.as_str()),
        ("origin", "http://evil.example"),
    ];
    let answer = rig.ask("GET", "/api/v1/stats", &foreign).await;
    assert_eq!(answer.fault(), (403, "origin_refused".to_owned()));
    let mut request = crate::rig::request("GET", "/api/v1/stats");
    request
        .headers_mut()
        .insert("host", "evil.example".parse().unwrap());
    request
        .headers_mut()
        .insert("authorization", good.parse().unwrap());
    let answer = rig.answer(request).await;
    assert_eq!(answer.fault(), (403, "host_refused".to_owned()));
}
