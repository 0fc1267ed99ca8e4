//! Continuing a conversation.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use crucible_services::inference::{
    EndReason, GenerateRequest, Generation, Message, Role, TokenUsage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::refuse::{self, invalid};
use super::{ChatUsage, OneOrMany, chat_stream, engine};
use crate::body::Body;
use crate::error::ApiError;
use crate::state::ApiState;

/// The most tokens that are generated when the request does not say.
const TOKENS_DEFAULT: u32 = 4096;
/// The most texts at which an answer may be told to stop; OpenAI's own bound.
const STOPS_MAX: usize = 4;

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ChatRequest {
    /// The model's name; a provider's name may stand before it, as in `ollama/llama3`.
    model: String,
    /// The conversation so far, oldest first.
    messages: Vec<ChatMessage>,
    /// The most tokens to generate; 4,096 when left out.
    max_completion_tokens: Option<u32>,
    /// The former name of `max_completion_tokens`.
    max_tokens: Option<u32>,
    /// From 0 to 2; the model's own when left out.
    temperature: Option<f32>,
    /// Up to 4 texts at which the answer stops.
    stop: Option<OneOrMany>,
    /// Whether the answer comes piece by piece.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Fields that only hint, or ask for what is done anyway, are ignored; all others are refused.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// How an answer comes piece by piece.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct StreamOptions {
    /// Whether the last chunk says what the answer cost.
    include_usage: Option<bool>,
}

/// One message.
#[derive(Debug, Deserialize, JsonSchema)]
struct ChatMessage {
    /// `system`, `developer`, `user` or `assistant`.
    role: String,
    content: Option<Content>,
}

/// What is said: a text, or parts that are texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Part {
    /// `text`; no other is read here.
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

/// The whole answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ChatAnswer {
    id: String,
    /// Always `chat.completion`.
    object: &'static str,
    /// Seconds since 1970.
    created: i64,
    model: String,
    choices: Vec<ChatChoice>,
    usage: ChatUsage,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ChatChoice {
    index: u32,
    message: Said,
    logprobs: Option<Value>,
    finish_reason: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    role: &'static str,
    content: String,
    refusal: Option<String>,
}

impl From<TokenUsage> for ChatUsage {
    fn from(usage: TokenUsage) -> Self {
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.prompt.saturating_add(usage.completion),
        }
    }
}

/// `POST /v1/chat/completions`
pub(super) async fn create(
    State(state): State<ApiState>,
    Body(asked): Body<ChatRequest>,
) -> Result<Response, ApiError> {
    let streams = asked.stream.unwrap_or(false);
    let options = asked.stream_options.as_ref();
    let tells_usage = options.and_then(|o| o.include_usage).unwrap_or(false);
    let request = read(asked)?;
    if streams {
        return chat_stream::answer(&state, request, tells_usage).await;
    }
    let model = request.model.clone();
    let generation = engine(&state)?.generate(request).await?;
    Ok(Json(whole(generation, model)).into_response())
}

fn read(asked: ChatRequest) -> Result<GenerateRequest, ApiError> {
    refuse::check(&asked.rest)?;
    if asked.messages.is_empty() {
        return Err(invalid("messages", "messages must hold at least one"));
    }
    if asked.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
        return Err(invalid("temperature", "temperature must be from 0 to 2"));
    }
    let tokens_max = asked.max_completion_tokens.or(asked.max_tokens);
    let tokens_max = tokens_max.unwrap_or(TOKENS_DEFAULT);
    if tokens_max == 0 {
        return Err(invalid(
            "max_completion_tokens",
            "max_completion_tokens must be at least 1",
        ));
    }
    let stop = asked.stop.map_or_else(Vec::new, OneOrMany::into_vec);
    if stop.len() > STOPS_MAX {
        let message = format!("stop must hold at most {STOPS_MAX} texts");
        return Err(invalid("stop", message));
    }
    let messages = asked.messages.into_iter().enumerate();
    let messages: Result<Vec<_>, _> = messages.map(|(at, m)| message(at, m)).collect();
    Ok(GenerateRequest {
        model: asked.model,
        messages: messages?,
        tokens_max,
        temperature: asked.temperature,
        stop,
    })
}

fn message(at: usize, message: ChatMessage) -> Result<Message, ApiError> {
    let field = |name: &str| format!("messages[{at}].{name}");
    let role = match message.role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let field = field("role");
            let text = format!("{field} must be system, developer, user or assistant: {other:?}");
            return Err(invalid(&field, text));
        }
    };
    let content = match message.content {
        Some(Content::Text(text)) => Some(text),
        Some(Content::Parts(parts)) => parts
            .into_iter()
            .map(|part| part.text.filter(|_| part.kind == "text"))
            .collect(),
        None => None,
    };
    let Some(content) = content else {
        let field = field("content");
        let text = format!("{field} must be a text, or parts of type \"text\"");
        return Err(invalid(&field, text));
    };
    Ok(Message { role, content })
}

fn whole(generation: Generation, model: String) -> ChatAnswer {
    let choice = ChatChoice {
        index: 0,
        message: Said {
            role: "assistant",
            content: generation.text,
            refusal: None,
        },
        logprobs: None,
        finish_reason: reason(generation.reason),
    };
    ChatAnswer {
        id: id(),
        object: "chat.completion",
        created: created(),
        model,
        choices: vec![choice],
        usage: generation.usage.into(),
    }
}

/// Returns a fresh name for an answer.
pub(super) fn id() -> String {
    format!("chatcmpl-{}", uuid::Uuid::now_v7().simple())
}

pub(super) fn created() -> i64 {
    crucible_services::clock::now().as_second()
}

/// Returns why an answer ended, in OpenAI's words.
pub(super) const fn reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Stop => "stop",
        EndReason::Length => "length",
        EndReason::Filtered => "content_filter",
    }
}
