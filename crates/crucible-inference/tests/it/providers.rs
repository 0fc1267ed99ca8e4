//! Providers against a real HTTP server on a free port of this machine.
//!
//! `fixtures` are what each protocol's public documentation shows; `server` sends them, or what a
//! test tells it to send instead.

mod answers;
mod engine;
mod faults;
mod fixtures;
mod persistence;
mod server;
mod streams;

use std::time::Duration;

use crucible_inference::providers::{
    ModelEntry, ProviderConfig, ProviderKind, Providers, ProvidersConfig, Secrets,
};
use crucible_services::inference::{
    EmbedRequest, Error, GenerateRequest, GenerationPiece, GenerationStream, Message, Role, Urgency,
};
use futures_util::StreamExt as _;

use server::Server;

/// The key that the tests' providers are set up with.
const KEY: &str = "sk-secret-123";
const KINDS: [ProviderKind; 3] = [
    ProviderKind::OpenAi,
    ProviderKind::Ollama,
    ProviderKind::Anthropic,
];

/// A provider at `server`, which offers `m`, waits for nothing long and asks again at once.
fn config(name: &str, kind: ProviderKind, server: &Server) -> ProviderConfig {
    let mut config = ProviderConfig::new(name, kind);
    config.base_url = server.address();
    config.api_key_env = Some("KEY".to_owned());
    config.models = vec![ModelEntry::from("m")];
    config.retry.wait_first = Duration::from_millis(1);
    config
}

fn providers(list: impl Into<Vec<ProviderConfig>>) -> Providers {
    let secrets = Secrets::new(|name| (name == "KEY").then(|| KEY.to_owned()));
    Providers::new(ProvidersConfig { list: list.into() }, &secrets).unwrap()
}

fn one(kind: ProviderKind, server: &Server) -> Providers {
    providers([config("p", kind, server)])
}

fn request() -> GenerateRequest {
    let say = |role, content: &str| Message {
        role,
        content: content.to_owned(),
    };
    GenerateRequest {
        model: "m".to_owned(),
        messages: vec![
            say(Role::System, "Be brief."),
            say(Role::User, "Why is the sky blue?"),
        ],
        tokens_max: 64,
        temperature: Some(0.7),
        stop: vec!["END".to_owned()],
    }
}

fn embed_request(texts: &[&str]) -> EmbedRequest {
    EmbedRequest {
        model: Some("m".to_owned()),
        texts: texts.iter().map(|&text| text.to_owned()).collect(),
        urgency: Urgency::Interactive,
    }
}

/// Reads a stream to its end: the text, and its last item.
async fn read(stream: GenerationStream) -> (String, Result<GenerationPiece, Error>) {
    let mut items: Vec<_> = stream.0.collect().await;
    let last = items.pop().expect("a stream has a last item");
    let text = items
        .into_iter()
        .map(|item| match item {
            Ok(GenerationPiece::Text(text)) => text,
            other => panic!("only text comes before the end, not {other:?}"),
        })
        .collect();
    (text, last)
}

/// Returns what the provider failed with, in words.
fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result.unwrap_err() {
        Error::Provider { reason, .. } => reason,
        other => panic!("not a failure of the provider: {other:?}"),
    }
}
