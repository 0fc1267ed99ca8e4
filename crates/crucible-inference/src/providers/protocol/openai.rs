//! OpenAI's protocol, as OpenAI and many other servers speak it.
//!
//! <https://platform.openai.com/docs/api-reference/chat>,
//! <https://platform.openai.com/docs/api-reference/embeddings>,
//! <https://platform.openai.com/docs/api-reference/models>

use crucible_services::inference::{EndReason, GenerateRequest, TokenUsage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, Framing, Listed, Protocol, ReadStream, Step, Unreadable, Vectors, Whole};

#[derive(Debug)]
pub(super) struct OpenAi {
    /// How the most tokens are called: OpenAI itself has renamed the field and its newer models
    /// refuse the old name; other servers may know only the old one.
    tokens_field: &'static str,
}

impl OpenAi {
    pub(super) fn at(base: &str) -> Self {
        let is_own = base.starts_with("https://api.openai.com/");
        Self {
            tokens_field: if is_own {
                "max_completion_tokens"
            } else {
                "max_tokens"
            },
        }
    }
}

impl Protocol for OpenAi {
    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        key.map(|key| ("authorization", format!("Bearer {key}")))
            .into_iter()
            .collect()
    }

    fn ask_models(&self) -> Ask {
        Ask {
            path: "/models",
            body: None,
        }
    }

    fn read_models(&self, body: &[u8]) -> Result<Vec<Listed>, Unreadable> {
        let list: List = super::json(body)?;
        let listed = |model: Model| Listed {
            embeds: model.id.contains("embed"),
            name: model.id,
            revision: String::new(),
        };
        Ok(list.data.into_iter().map(listed).collect())
    }

    fn ask_generation(&self, model: &str, request: &GenerateRequest, streams: bool) -> Ask {
        let mut body = json!({
            "model": model,
            "messages": request.messages,
            self.tokens_field: request.tokens_max,
        });
        if let Some(temperature) = request.temperature {
            body["temperature"] = super::temperature(temperature);
        }
        if !request.stop.is_empty() {
            body["stop"] = json!(request.stop);
        }
        if streams {
            body["stream"] = Value::from(true);
            body["stream_options"] = json!({ "include_usage": true });
        }
        Ask {
            path: "/chat/completions",
            body: Some(body),
        }
    }

    fn read_generation(&self, body: &[u8]) -> Result<Whole, Unreadable> {
        let chat: Chat = super::json(body)?;
        let choice = chat.choices.into_iter().next().ok_or("no choice")?;
        let message = choice.message.unwrap_or_default();
        let is_refused = message.content.is_none() && message.refusal.is_some();
        let reason = choice.finish_reason.as_deref().map_or(EndReason::Stop, end);
        Ok(Whole {
            text: message.content.or(message.refusal).unwrap_or_default(),
            reason: if is_refused {
                EndReason::Filtered
            } else {
                reason
            },
            usage: chat.usage.unwrap_or_default().into(),
        })
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Events, "text/event-stream")
    }

    fn reader(&self) -> Box<dyn ReadStream> {
        Box::new(Reader::default())
    }

    fn ask_vectors(&self, model: &str, texts: &[&str]) -> Option<Ask> {
        Some(Ask {
            path: "/embeddings",
            body: Some(json!({ "model": model, "input": texts, "encoding_format": "float" })),
        })
    }

    fn read_vectors(&self, body: &[u8]) -> Result<Vectors, Unreadable> {
        let mut answer: Embeddings = super::json(body)?;
        // Each says which text it belongs to; their order is not promised.
        answer.data.sort_by_key(|one| one.index);
        let is_whole = answer.data.iter().enumerate().all(|(at, e)| e.index == at);
        if !is_whole {
            return Err("vectors that are not numbered from 0".to_owned());
        }
        Ok(Vectors {
            vectors: answer.data.into_iter().map(|e| e.embedding).collect(),
            tokens: answer.usage.map_or(0, |usage| usage.prompt_tokens),
        })
    }

    fn read_fault(&self, body: &[u8]) -> Option<String> {
        let fault: Fault = serde_json::from_slice(body).ok()?;
        Some(fault.error.text())
    }
}

#[derive(Deserialize)]
struct List {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

#[derive(Deserialize)]
struct Chat {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Message>,
    /// In a stream, instead of `message`.
    delta: Option<Message>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl From<Usage> for TokenUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt: usage.prompt_tokens,
            completion: usage.completion_tokens,
        }
    }
}

#[derive(Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Fault {
    error: FaultBody,
}

/// An object with a message; some servers give the message alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum FaultBody {
    Full { message: String },
    Bare(String),
}

impl FaultBody {
    fn text(self) -> String {
        match self {
            Self::Full { message } | Self::Bare(message) => message,
        }
    }
}

fn end(reason: &str) -> EndReason {
    match reason {
        "length" => EndReason::Length,
        "content_filter" => EndReason::Filtered,
        _ => EndReason::Stop,
    }
}

/// One chunk of a stream: a part of an answer, or a fault.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<FaultBody>,
}

/// Usage comes after the reason, in a chunk without choices, and `[DONE]` after that; servers that
/// count nothing leave the first out, and some the second.
#[derive(Default)]
struct Reader {
    reason: Option<EndReason>,
    usage: TokenUsage,
}

impl ReadStream for Reader {
    fn read(&mut self, message: &str) -> Result<Step, Unreadable> {
        if message == "[DONE]" {
            return Ok(Step::End(
                self.reason.unwrap_or(EndReason::Stop),
                self.usage,
            ));
        }
        let chunk: Chunk = super::json(message.as_bytes())?;
        if let Some(fault) = chunk.error {
            return Ok(Step::Failed(fault.text()));
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage.into();
        }
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(Step::Nothing);
        };
        if let Some(reason) = &choice.finish_reason {
            self.reason = Some(end(reason));
        }
        let delta = choice.delta.unwrap_or_default();
        Ok(match delta.content.or(delta.refusal) {
            Some(text) if !text.is_empty() => Step::Text(text),
            _ => Step::Nothing,
        })
    }

    fn close(&mut self) -> Option<Step> {
        self.reason.map(|reason| Step::End(reason, self.usage))
    }
}
