//! What is sent, and what comes back, when all goes well.

use crucible_inference::providers::{ModelEntry, ProviderKind};
use crucible_services::inference::{EndReason, Error, ModelKind, TokenUsage};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{KEY, KINDS, config, embed_request, fixtures, one, providers, request};

/// The last request: its line, its key, and its body.
fn asked(server: &Server, kind: ProviderKind) -> (String, Value) {
    let seen = server.seen().pop().unwrap();
    match kind {
        ProviderKind::Anthropic => {
            assert_eq!(seen.header("x-api-key"), Some(KEY));
            assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
            assert_eq!(seen.header("authorization"), None);
        }
        ProviderKind::OpenAi | ProviderKind::Ollama => {
            let bearer = format!("Bearer {KEY}");
            assert_eq!(seen.header("authorization"), Some(bearer.as_str()));
        }
    }
    (seen.line, seen.body)
}

fn sent(kind: ProviderKind) -> (&'static str, Value) {
    let user = json!({ "role": "user", "content": "Why is the sky blue?" });
    let system = json!({ "role": "system", "content": "Be brief." });
    match kind {
        ProviderKind::OpenAi => (
            "POST /v1/chat/completions",
            json!({ "model": "m", "messages": [system, user], "max_tokens": 64,
                    "temperature": 0.7, "stop": ["END"] }),
        ),
        ProviderKind::Ollama => (
            "POST /api/chat",
            json!({ "model": "m", "messages": [system, user], "stream": false,
                    "options": { "num_predict": 64, "temperature": 0.7, "stop": ["END"] } }),
        ),
        ProviderKind::Anthropic => (
            "POST /v1/messages",
            json!({ "model": "m", "max_tokens": 64, "messages": [user], "system": "Be brief.",
                    "temperature": 0.7, "stop_sequences": ["END"] }),
        ),
    }
}

#[tokio::test]
async fn generation_is_asked_for_and_read_in_each_protocol() {
    for kind in KINDS {
        let server = Server::saying(Reply::json(200, fixtures::generation(kind))).await;
        let providers = one(kind, &server);
        let answer = providers.generate(&request()).await.unwrap();
        assert_eq!(answer.text, "Hello there 🥖", "{kind:?}");
        assert_eq!(answer.reason, EndReason::Stop);
        let usage = TokenUsage {
            prompt: 13,
            completion: 7,
        };
        assert_eq!(answer.usage, usage, "{kind:?}");
        assert_eq!(
            (answer.model.as_str(), answer.provider.as_str()),
            ("m", "p")
        );
        let (line, body) = asked(&server, kind);
        assert_eq!((line.as_str(), body), sent(kind));
    }
}

#[tokio::test]
async fn what_answers_cost_adds_up_by_provider_and_model() {
    let kind = ProviderKind::OpenAi;
    let good = || Reply::json(200, fixtures::generation(kind));
    let server = Server::start([good(), good(), Reply::json(401, "{}")]).await;
    let providers = one(kind, &server);
    for is_good in [true, true, false] {
        assert_eq!(providers.generate(&request()).await.is_ok(), is_good);
    }
    let [usage] = providers.usage().try_into().unwrap();
    assert_eq!((usage.provider.as_str(), usage.model.as_str()), ("p", "m"));
    assert_eq!((usage.requests, usage.failures), (3, 1));
    assert_eq!((usage.tokens_prompt, usage.tokens_completion), (26, 14));
}

#[tokio::test]
async fn vectors_come_in_the_order_of_the_texts_and_have_unit_length() {
    for kind in [ProviderKind::OpenAi, ProviderKind::Ollama] {
        let server = Server::saying(Reply::json(200, fixtures::vectors(kind))).await;
        let answer = one(kind, &server)
            .embed(&embed_request(&["one", "two"]))
            .await
            .unwrap();
        assert_eq!(answer.vectors, [[0.6, 0.8], [0.0, -1.0]], "{kind:?}");
        assert_eq!((answer.dimensions, answer.tokens), (2, 8));
        assert_eq!(answer.revision, "p/m");
        let (line, body) = asked(&server, kind);
        let path = if kind == ProviderKind::Ollama {
            "POST /api/embed"
        } else {
            "POST /v1/embeddings"
        };
        assert_eq!(line, path);
        assert_eq!(body["input"], json!(["one", "two"]));
    }
}

#[tokio::test]
async fn many_texts_go_in_several_requests_and_long_ones_are_cut() {
    let kind = ProviderKind::Ollama;
    let server = Server::saying(Reply::json(200, fixtures::vectors(kind))).await;
    let mut config = config("p", kind, &server);
    config.embed_texts_max = 2;
    config.embed_text_bytes_max = 5;
    let texts = ["one", "sp🥖 the rest", "three", &"x".repeat(10_000_000)];
    let answer = providers([config])
        .embed(&embed_request(&texts))
        .await
        .unwrap();
    assert_eq!((answer.vectors.len(), answer.tokens), (4, 16));
    let inputs: Vec<_> = server
        .seen()
        .iter()
        .map(|s| s.body["input"].clone())
        .collect();
    assert_eq!(inputs, [json!(["one", "sp"]), json!(["three", "xxxxx"])]);
}

#[tokio::test]
async fn provider_without_embeddings_says_so() {
    let server = Server::saying(Reply::Silence).await;
    let providers = one(ProviderKind::Anthropic, &server);
    let failed = providers.embed(&embed_request(&["one"])).await;
    assert!(super::reason(failed).contains("no embeddings"));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn models_are_what_the_provider_lists() {
    for kind in KINDS {
        let server = Server::saying(Reply::json(200, fixtures::models(kind))).await;
        let mut config = config("p", kind, &server);
        config.models.clear();
        let providers = providers([config]);
        let models = providers.models().await;
        let names: Vec<_> = models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, fixtures::model_names(kind), "{kind:?}");
        let embeds = models[1].kind == ModelKind::Embedding;
        assert_eq!(embeds, kind != ProviderKind::Anthropic);
        let path = match kind {
            ProviderKind::OpenAi => "GET /v1/models",
            ProviderKind::Ollama => "GET /api/tags",
            ProviderKind::Anthropic => "GET /v1/models?limit=1000",
        };
        assert_eq!(asked(&server, kind).0, path);
        providers.models().await;
        assert_eq!(server.seen().len(), 1, "the list is kept for a while");
    }
}

#[tokio::test]
async fn model_is_found_by_its_name_without_tag_and_by_its_providers_name() {
    let kind = ProviderKind::Ollama;
    let listed = Reply::json(200, fixtures::models(kind));
    let server = Server::start([listed, Reply::json(200, fixtures::generation(kind))]).await;
    let mut config = config("own", kind, &server);
    config.models.clear();
    let providers = providers([config]);
    let mut request = request();
    for (name, upstream) in [("gemma3", "gemma3:latest"), ("own/other", "other")] {
        name.clone_into(&mut request.model);
        providers.generate(&request).await.unwrap();
        assert_eq!(asked(&server, kind).1["model"], upstream);
    }
}

#[tokio::test]
async fn model_goes_by_the_providers_own_name_for_it() {
    let kind = ProviderKind::OpenAi;
    let server = Server::saying(Reply::json(200, fixtures::generation(kind))).await;
    let mut config = config("p", kind, &server);
    config.models = vec![ModelEntry {
        upstream: Some("gpt-5-nano".to_owned()),
        ..ModelEntry::from("m")
    }];
    providers([config]).generate(&request()).await.unwrap();
    assert_eq!(asked(&server, kind).1["model"], "gpt-5-nano");
}

#[tokio::test]
async fn model_that_nobody_offers_is_missing_and_the_hint_says_what_there_is() {
    let server = Server::saying(Reply::Silence).await;
    let providers = one(ProviderKind::OpenAi, &server);
    for name in ["other", "p/other", "nobody/m"] {
        let mut request = request();
        name.clone_into(&mut request.model);
        let Err(Error::ModelMissing { model, hint }) = providers.generate(&request).await else {
            panic!("{name} is not missing");
        };
        assert_eq!(model, name);
        assert!(hint.contains('m'), "{hint}");
    }
    let none = super::providers([]);
    let Err(Error::ModelMissing { hint, .. }) = none.generate(&request()).await else {
        panic!("m is not missing");
    };
    assert!(hint.contains("[[inference.providers]]"), "{hint}");
}
