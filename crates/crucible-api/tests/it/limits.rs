//! How much may be asked at once, how large, and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use crucible_api::ApiConfig;

use crate::rig::{Answer, Rig, request};

#[tokio::test]
async fn one_request_too_many_is_told_to_come_back() {
    let config = ApiConfig {
        requests_max: 1,
        ..ApiConfig::default()
    };
    let rig = Arc::new(Rig::with(config).await);
    let slow = rig.get("/api/v1/notes/@gate");
    let rest = async {
        let _at_gate = rig.twin.at_gate.acquire().await.unwrap();
        let refused = rig.get("/api/v1/stats").await;
        assert_eq!(refused.fault(), (503, "overloaded".to_owned()));
        assert_eq!(refused.header("retry-after"), "1");
        rig.twin.gate.add_permits(1);
    };
    let (slow, ()) = tokio::join!(slow, rest);
    assert_eq!(slow.fault().0, 404);
    assert_eq!(rig.get("/api/v1/stats").await.status, 200);
}

#[tokio::test]
async fn answer_that_takes_too_long_is_given_up() {
    let config = ApiConfig {
        request_deadline: Duration::from_millis(20),
        ..ApiConfig::default()
    };
    let rig = Rig::with(config).await;
    let answer = rig.get("/api/v1/search?q=@hang").await;
    assert_eq!(answer.fault(), (503, "deadline_exceeded".to_owned()));
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn body_that_says_it_is_too_large_is_refused() {
    let rig = Rig::new().await;
    let mut request = request("POST", "/api/v1/services/api/start");
    let length = "65537".parse().unwrap();
    request.headers_mut().insert("content-length", length);
    let answer = Answer::read(rig.send(request).await).await;
    assert_eq!(answer.fault(), (413, "body_too_large".to_owned()));
}

#[tokio::test]
async fn small_body_where_none_is_wanted_is_ignored() {
    let rig = Rig::new().await;
    let request = request("GET", "/api/v1/stats").map(|_| Body::from("{}"));
    assert_eq!(rig.send(request).await.status(), 200);
}

#[tokio::test]
async fn panic_of_a_handler_is_an_answer_that_tells_nothing_private() {
    let rig = Rig::new().await;
    let answer = rig.get("/api/v1/search?q=@panic").await;
    assert_eq!(answer.fault(), (500, "internal".to_owned()));
    assert!(!answer.text.contains("twin"));
    assert_eq!(rig.get("/api/v1/stats").await.status, 200);
}
