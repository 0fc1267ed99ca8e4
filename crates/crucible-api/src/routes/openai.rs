//! The Inference Engine for programs that speak OpenAI's protocol, under `/v1`.
//!
//! Paths, bodies and faults are those of <https://platform.openai.com/docs/api-reference>, so that
//! a client of OpenAI's needs no more than this daemon's address and a token. What changes an
//! answer and is not offered here is refused, never ignored: see `refuse`.

mod chat;
mod chat_stream;
mod embeddings;
mod envelope;
mod models;
mod refuse;

use std::sync::Arc;

use crucible_services::service_traits::InferenceEngine;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::route::Route;
use crate::state::ApiState;

pub(crate) use envelope::{OpenAiFault, envelope};

/// All routes; each needs the scope to infer.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/models", models::list)
            .infers()
            .called("listModels", "Lists the models that can be used now.")
            .answers::<models::ModelList>(),
        Route::get("/v1/models/{*model}", models::one)
            .infers()
            .called("getModel", "Returns one model.")
            .answers::<models::Model>(),
        Route::post("/v1/embeddings", embeddings::create)
            .infers()
            .called("createEmbeddings", "Returns a vector for each text.")
            .takes::<embeddings::EmbeddingsRequest>()
            .answers::<embeddings::EmbeddingsAnswer>(),
        Route::post("/v1/chat/completions", chat::create)
            .infers()
            .called(
                "createChatCompletion",
                "Continues a conversation, at once or, with `stream`, as server-sent events.",
            )
            .takes::<chat::ChatRequest>()
            .answers::<chat::ChatAnswer>(),
    ]
}

fn engine(state: &ApiState) -> Result<&Arc<dyn InferenceEngine>, ApiError> {
    let engine = state.parts.inference.as_ref();
    engine.ok_or_else(|| ApiError::not_offered("inference engine"))
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// What was read and written, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}
