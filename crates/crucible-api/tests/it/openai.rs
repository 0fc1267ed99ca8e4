//! What clients of OpenAI's see under `/v1`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use crucible_api::auth::{AccessControl, NewToken};
use crucible_api::router::router_with;
use crucible_api::{ApiConfig, ApiParts};
use crucible_core::{CoreConfig, CrucibleCore};
use crucible_services::access::Scope;
use crucible_services::inference::Role;
use crucible_services::state_store::MemoryState;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::oracle::Oracle;
use crate::rig::{Answer, PORT, parts};
use crate::schema::check_answer;
use crate::twin::Twin;

struct Desk {
    router: Router,
    oracle: Arc<Oracle>,
    closing: CancellationToken,
}

impl Desk {
    async fn new() -> Self {
        Self::with(ApiConfig::default(), |_| {}).await
    }

    async fn with(config: ApiConfig, change: impl FnOnce(&mut ApiParts)) -> Self {
        let core = CrucibleCore::new(CoreConfig::default()).await.unwrap();
        let oracle = Arc::new(Oracle::default());
        let mut parts = parts(&core, &Arc::new(Twin::sample()), None);
        parts.inference = Some(Arc::clone(&oracle) as _);
        change(&mut parts);
        let closing = CancellationToken::new();
        Self {
            router: router_with(config, parts, Some(PORT), closing.clone()),
            oracle,
            closing,
        }
    }

    async fn send(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, target: &str) -> Answer {
        let request = crate::rig::request("GET", target);
        let answer = Answer::read(self.send(request).await).await;
        described("GET", target, &answer);
        answer
    }

    async fn post(&self, target: &str, body: &Value) -> Answer {
        let answer = Answer::read(self.send(post(target, body)).await).await;
        described("POST", target, &answer);
        answer
    }

    async fn chat(&self, change: Value) -> Answer {
        self.post("/v1/chat/completions", &chat(change)).await
    }
}

/// Holds a whole answer against the description of the API.
fn described(method: &str, target: &str, answer: &Answer) {
    if answer.header("content-type") == "application/json" {
        check_answer(method, target, answer.status.as_u16(), &answer.json());
    }
}

fn post(target: &str, body: &Value) -> Request<Body> {
    Request::builder()
        .method("POST")
        .uri(target)
        .header("host", format!("127.0.0.1:{PORT}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// A conversation with `echo`, with `change` over it.
fn chat(change: Value) -> Value {
    let mut body = json!({
        "model": "echo",
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": [{ "type": "text", "text": "Hello " },
                                          { "type": "text", "text": "there 🥖" }] },
        ],
    });
    let Value::Object(change) = change else {
        panic!("not an object");
    };
    body.as_object_mut().unwrap().extend(change);
    body
}

/// The data of each event.
fn events(answer: &Answer) -> Vec<String> {
    let lines = answer.text.lines();
    lines
        .filter_map(|line| line.strip_prefix("data: "))
        .map(str::to_owned)
        .collect()
}

/// The status code, and type, param and code of OpenAI's envelope.
fn fault(answer: &Answer) -> (u16, String, Value, Value) {
    let error = &answer.json()["error"];
    assert!(error["message"].is_string(), "{}", answer.text);
    (
        answer.status.as_u16(),
        error["type"].as_str().unwrap().to_owned(),
        error["param"].clone(),
        error["code"].clone(),
    )
}

#[tokio::test]
async fn conversation_is_continued_at_once() {
    let desk = Desk::new().await;
    let answer = desk
        .chat(json!({ "max_tokens": 9, "temperature": 0.5, "stop": "END", "user": "me", "n": 1 }))
        .await;
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert!(json["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(json["created"].as_i64().unwrap() > 0);
    let choice = &json["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], "Hello there 🥖");
    assert_eq!(choice["finish_reason"], "stop");
    let usage = json!({ "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7 });
    assert_eq!(json["usage"], usage);
    let asked = desk.oracle.asked.lock().unwrap().pop().unwrap();
    assert_eq!((asked.tokens_max, asked.temperature), (9, Some(0.5)));
    assert_eq!(asked.stop, ["END"]);
    assert_eq!(asked.messages[0].role, Role::System);
}

#[tokio::test]
async fn conversation_is_continued_piece_by_piece() {
    let desk = Desk::new().await;
    for tells_usage in [false, true] {
        let options = json!({ "include_usage": tells_usage });
        let change = json!({ "stream": true, "stream_options": options });
        let answer = desk.chat(change).await;
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let mut events = events(&answer);
        assert_eq!(events.pop().as_deref(), Some("[DONE]"));
        let mut chunks: Vec<Value> = events
            .iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect();
        if tells_usage {
            let last = chunks.pop().unwrap();
            assert_eq!(last["choices"], json!([]));
            assert_eq!(last["usage"]["total_tokens"], 7);
        }
        let deltas: Vec<_> = chunks.iter().map(|c| &c["choices"][0]["delta"]).collect();
        let expected = [
            json!({ "role": "assistant", "content": "" }),
            json!({ "content": "Hello " }),
            json!({ "content": "there " }),
            json!({ "content": "🥖" }),
            json!({}),
        ];
        assert_eq!(deltas, expected.iter().collect::<Vec<_>>());
        assert_eq!(chunks[4]["choices"][0]["finish_reason"], "length");
        for chunk in &chunks {
            assert_eq!(chunk["id"], chunks[0]["id"]);
            assert_eq!(chunk.get("usage").is_some(), tells_usage);
        }
    }
}

#[tokio::test]
async fn fault_in_the_middle_of_a_stream_ends_it_without_done() {
    let desk = Desk::new().await;
    let answer = desk
        .chat(json!({ "model": "breaks", "stream": true }))
        .await;
    let events = events(&answer);
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "provider_failed");
    assert_eq!(last["error"]["type"], "server_error");
    assert!(!answer.text.contains("[DONE]"));
}

#[tokio::test]
async fn vectors_are_written_as_numbers_or_as_base64_of_their_bytes() {
    let desk = Desk::new().await;
    let ask = |input: Value, format: &str| {
        let body = json!({ "model": "vectors", "input": input, "encoding_format": format });
        let desk = &desk;
        async move { desk.post("/v1/embeddings", &body).await.json() }
    };
    let numbers = ask(json!(["ab", "c"]), "float").await;
    assert_eq!(numbers["data"][0]["embedding"], json!([2.0, -0.5, 0.001]));
    assert_eq!(numbers["data"][1]["index"], 1);
    assert_eq!(
        numbers["usage"],
        json!({ "prompt_tokens": 7, "total_tokens": 7 })
    );
    let bytes = ask(json!("ab"), "base64").await;
    // 2.0, -0.5 and 0.001 as IEEE 754 of 32 bits, little-endian.
    assert_eq!(bytes["data"][0]["embedding"], "AAAAQAAAAL9vEoM6");
    assert_eq!(bytes["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn models_are_listed_once_each_and_found_by_name_with_or_without_provider() {
    let desk = Desk::new().await;
    let list = desk.get("/v1/models").await.json();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    assert_eq!(ids, ["vectors", "echo"]);
    for (name, owner) in [("echo", "p"), ("q/echo", "q"), ("q%2Fecho", "q")] {
        let model = desk.get(&format!("/v1/models/{name}")).await.json();
        assert_eq!(model["object"], "model", "{name}");
        assert_eq!(model["owned_by"], owner, "{name}");
        assert_eq!(model["id"], name.replace("%2F", "/"));
    }
    let missing = desk.get("/v1/models/none").await;
    let kind = "invalid_request_error".to_owned();
    assert_eq!(
        fault(&missing),
        (404, kind, "model".into(), "model_not_found".into())
    );
}

#[tokio::test]
async fn faults_of_the_engine_keep_their_meaning_in_openais_envelope() {
    let desk = Desk::new().await;
    for (model, status, kind, code) in [
        ("none", 404, "invalid_request_error", "model_not_found"),
        ("invalid", 400, "invalid_request_error", "invalid_body"),
        ("busy", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("late", 503, "server_error", "deadline_exceeded"),
        ("broken", 500, "server_error", "model_broken"),
        ("provider", 502, "server_error", "provider_failed"),
        ("failed", 500, "server_error", "internal"),
    ] {
        for change in [json!({ "stream": false }), json!({ "stream": true })] {
            let mut body = chat(change);
            body["model"] = model.into();
            let answer = desk.post("/v1/chat/completions", &body).await;
            let (given, given_kind, _, given_code) = fault(&answer);
            assert_eq!((given, given_kind.as_str()), (status, kind), "{model}");
            assert_eq!(given_code, code);
            if model == "busy" {
                assert_eq!(answer.header("retry-after"), "7");
            }
        }
        let body = json!({ "model": model, "input": "x" });
        let answer = desk.post("/v1/embeddings", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{model}");
    }
}

#[tokio::test]
async fn requests_that_cannot_be_met_are_refused_by_field() {
    let desk = Desk::new().await;
    let system = json!([{ "role": "tool", "content": "x" }]);
    let image = json!([{ "role": "user", "content": [{ "type": "image_url" }] }]);
    for (change, param) in [
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": system }), "messages[0].role"),
        (json!({ "messages": image }), "messages[0].content"),
        (
            json!({ "messages": [{ "role": "user" }] }),
            "messages[0].content",
        ),
        (json!({ "n": 2 }), "n"),
        (json!({ "tools": [{}] }), "tools"),
        (json!({ "temperature": 3 }), "temperature"),
        (json!({ "max_tokens": 0 }), "max_completion_tokens"),
        (json!({ "stop": ["a", "b", "c", "d", "e"] }), "stop"),
        (json!({ "nonsense": 1 }), "nonsense"),
    ] {
        let answer = desk.chat(change).await;
        let kind = "invalid_request_error".to_owned();
        let expected = (400, kind, param.into(), "invalid_body".into());
        assert_eq!(fault(&answer), expected);
    }
    for (input, dimensions) in [
        (json!([]), json!(3)),
        (json!([1, 2]), json!(3)),
        (json!([[1, 2]]), json!(3)),
        (json!(["x", ""]), json!(3)),
        (json!(vec!["x"; 2049]), json!(3)),
        (json!("x"), json!(4)),
    ] {
        let body = json!({ "model": "vectors", "input": input, "dimensions": dimensions });
        let answer = desk.post("/v1/embeddings", &body).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
    }
    for body in ["", "{", "[]", "{\"model\":7}"] {
        let request = post("/v1/chat/completions", &json!({})).map(|_| Body::from(body));
        let answer = Answer::read(desk.send(request).await).await;
        assert_eq!(fault(&answer).0, 400, "{body}");
    }
}

#[tokio::test]
async fn every_fault_under_v1_has_openais_envelope_and_none_elsewhere() {
    let desk = Desk::new().await;
    assert_eq!(fault(&desk.get("/v1/nothing").await).0, 404);
    assert_eq!(fault(&desk.get("/v1/embeddings").await).0, 405);
    let mut foreign = crate::rig::request("GET", "/v1/models");
    let host = "evil.example".parse().unwrap();
    foreign.headers_mut().insert("host", host);
    let answer = Answer::read(desk.send(foreign).await).await;
    assert_eq!(fault(&answer).3, "host_refused");
    let elsewhere = desk.get("/v1ish").await.json();
    assert_eq!(elsewhere["error"]["type"], Value::Null);
}

#[tokio::test]
async fn daemon_without_engine_says_so() {
    let desk = Desk::with(ApiConfig::default(), |parts| parts.inference = None).await;
    let answer = desk.get("/v1/models").await;
    assert_eq!(fault(&answer).3, "not_offered");
}

#[tokio::test]
async fn only_tokens_with_the_scope_to_infer_may() {
    let access = AccessControl::new(Arc::new(MemoryState::default()));
    let token = |name: &str, scope| {
        let (access, token) = (access.clone(), NewToken::new(name, [scope]));
        async move { access.create(token).await.unwrap().secret }
    };
    let (infers, reads) = (
        token("a", Scope::Infer).await,
        token("b", Scope::Read).await,
    );
    let desk = Desk::with(ApiConfig::default(), |parts| parts.access = access.clone()).await;
    for (bearer, status, code) in [
        (Some(infers.reveal()), 200, Value::Null),
        (Some(reads.reveal()), 403, "scope_missing".into()),
        (Some("crb_wrong"), 401, "invalid_api_key".into()),
        (None, 401, "invalid_api_key".into()),
    ] {
        let mut request = post("/v1/chat/completions", &chat(json!({})));
        if let Some(bearer) = bearer {
            let value = format!("Bearer {bearer}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let answer = Answer::read(desk.send(request).await).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.json()["error"]["code"], code);
    }
}

#[tokio::test]
async fn body_over_the_bound_is_refused_and_one_over_the_others_bound_is_not() {
    let config = ApiConfig {
        inference_bytes_max: 200_000,
        ..ApiConfig::default()
    };
    let desk = Desk::with(config, |_| {}).await;
    for (bytes, status) in [(100_000, 200), (200_000, 413)] {
        let body = json!({ "model": "vectors", "input": "x".repeat(bytes) });
        let answer = desk.post("/v1/embeddings", &body).await;
        assert_eq!(answer.status.as_u16(), status);
    }
}

#[tokio::test]
async fn generation_that_takes_too_long_is_given_up_and_its_place_is_free_again() {
    let config = ApiConfig {
        inference_deadline: Duration::from_millis(20),
        inferences_max: 1,
        ..ApiConfig::default()
    };
    let desk = Desk::with(config, |_| {}).await;
    for _ in 0..2 {
        let answer = desk.chat(json!({ "model": "waits" })).await;
        assert_eq!(fault(&answer).3, "deadline_exceeded");
    }
}

#[tokio::test]
async fn streams_have_a_number_and_dropping_one_ends_its_request() {
    let config = ApiConfig {
        streams_max: 1,
        ..ApiConfig::default()
    };
    let desk = Desk::with(config, |_| {}).await;
    let waits = json!({ "model": "waits", "stream": true });
    let open = desk.send(post("/v1/chat/completions", &chat(waits))).await;
    let mut body = open.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(Arc::strong_count(&desk.oracle.open), 2);
    let refused = desk.chat(json!({ "stream": true })).await;
    assert_eq!(fault(&refused).3, "overloaded");
    drop(body);
    assert_eq!(Arc::strong_count(&desk.oracle.open), 1);
    assert_eq!(desk.chat(json!({ "stream": true })).await.status, 200);
}

#[tokio::test]
async fn open_streams_end_when_the_api_closes() {
    let desk = Desk::new().await;
    let waits = json!({ "model": "waits", "stream": true });
    let open = desk.send(post("/v1/chat/completions", &chat(waits))).await;
    desk.closing.cancel();
    let answer = Answer::read(open).await;
    assert!(!answer.text.contains("[DONE]"));
}
