//! Anthropic's protocol.
//!
//! <https://docs.anthropic.com/en/api/messages>,
//! <https://docs.anthropic.com/en/api/messages-streaming>,
//! <https://docs.anthropic.com/en/api/models-list>. It has no embeddings.

use crucible_services::inference::{EndReason, GenerateRequest, Role, TokenUsage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, Framing, Listed, Protocol, ReadStream, Step, Unreadable, Vectors, Whole};

/// The version of the protocol that is spoken here.
const VERSION: &str = "2023-06-01";
/// The protocol's highest temperature; ours goes to 2.
const TEMPERATURE_MAX: f32 = 1.0;

#[derive(Debug)]
pub(super) struct Anthropic;

impl Protocol for Anthropic {
    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![("anthropic-version", VERSION.to_owned())];
        headers.extend(key.map(|key| ("x-api-key", key.to_owned())));
        headers
    }

    fn ask_models(&self) -> Ask {
        Ask {
            path: "/models?limit=1000",
            body: None,
        }
    }

    fn read_models(&self, body: &[u8]) -> Result<Vec<Listed>, Unreadable> {
        let list: List = super::json(body)?;
        let listed = |model: Model| Listed {
            name: model.id,
            embeds: false,
            revision: String::new(),
        };
        Ok(list.data.into_iter().map(listed).collect())
    }

    /// What the system says stands apart from the conversation here, wherever it was said.
    fn ask_generation(&self, model: &str, request: &GenerateRequest, streams: bool) -> Ask {
        let system: Vec<&str> = request
            .messages
            .iter()
            .filter(|message| message.role == Role::System)
            .map(|message| message.content.as_str())
            .collect();
        let talk: Vec<Value> = request
            .messages
            .iter()
            .filter(|message| message.role != Role::System)
            .map(|message| json!({ "role": message.role, "content": message.content }))
            .collect();
        let mut body = json!({
            "model": model,
            "max_tokens": request.tokens_max,
            "messages": talk,
        });
        if !system.is_empty() {
            body["system"] = Value::from(system.join("\n\n"));
        }
        if let Some(temperature) = request.temperature {
            body["temperature"] = super::temperature(temperature.min(TEMPERATURE_MAX));
        }
        if !request.stop.is_empty() {
            body["stop_sequences"] = json!(request.stop);
        }
        if streams {
            body["stream"] = Value::from(true);
        }
        Ask {
            path: "/messages",
            body: Some(body),
        }
    }

    fn read_generation(&self, body: &[u8]) -> Result<Whole, Unreadable> {
        let answer: Answer = super::json(body)?;
        let text = answer
            .content
            .into_iter()
            .filter(|block| block.kind == "text")
            .map(|block| block.text)
            .collect();
        Ok(Whole {
            text,
            reason: answer.stop_reason.as_deref().map_or(EndReason::Stop, end),
            usage: TokenUsage {
                prompt: answer.usage.prompt(),
                completion: answer.usage.output_tokens,
            },
        })
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Events, "text/event-stream")
    }

    fn reader(&self) -> Box<dyn ReadStream> {
        Box::new(Reader::default())
    }

    fn ask_vectors(&self, _model: &str, _texts: &[&str]) -> Option<Ask> {
        None
    }

    fn read_vectors(&self, _body: &[u8]) -> Result<Vectors, Unreadable> {
        Err("vectors, which nobody asked for".to_owned())
    }

    fn read_fault(&self, body: &[u8]) -> Option<String> {
        let fault: Fault = serde_json::from_slice(body).ok()?;
        Some(fault.error.message)
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
struct Answer {
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

/// What was read from a cache, or written into it, was read all the same.
#[derive(Default, Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: u64,
}

impl Usage {
    fn prompt(&self) -> u64 {
        [
            self.input_tokens,
            self.cache_creation_input_tokens,
            self.cache_read_input_tokens,
        ]
        .into_iter()
        .flatten()
        .sum()
    }
}

#[derive(Deserialize)]
struct Fault {
    error: FaultBody,
}

#[derive(Deserialize)]
struct FaultBody {
    message: String,
}

fn end(reason: &str) -> EndReason {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => EndReason::Length,
        "refusal" => EndReason::Filtered,
        _ => EndReason::Stop,
    }
}

/// The events of a stream that say something here; there may be new ones at any time.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    MessageDelta {
        delta: Closing,
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        error: FaultBody,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Usage,
}

/// `text_delta`, or one of the kinds that carry no text for the reader.
#[derive(Deserialize)]
struct Delta {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Closing {
    stop_reason: Option<String>,
}

#[derive(Default)]
struct Reader {
    reason: Option<EndReason>,
    usage: TokenUsage,
}

impl ReadStream for Reader {
    fn read(&mut self, message: &str) -> Result<Step, Unreadable> {
        match super::json(message.as_bytes())? {
            Event::MessageStart { message } => {
                self.usage.prompt = message.usage.prompt();
                self.usage.completion = message.usage.output_tokens;
            }
            Event::ContentBlockDelta { delta } if delta.kind == "text_delta" => {
                if !delta.text.is_empty() {
                    return Ok(Step::Text(delta.text));
                }
            }
            Event::MessageDelta { delta, usage } => {
                self.reason = delta.stop_reason.as_deref().map(end).or(self.reason);
                if let Some(usage) = usage {
                    // Counts here are of the whole answer so far.
                    self.usage.completion = usage.output_tokens;
                    self.usage.prompt = self.usage.prompt.max(usage.prompt());
                }
            }
            Event::MessageStop => {
                return Ok(Step::End(
                    self.reason.unwrap_or(EndReason::Stop),
                    self.usage,
                ));
            }
            Event::Error { error } => return Ok(Step::Failed(error.message)),
            Event::ContentBlockDelta { .. } | Event::Other => {}
        }
        Ok(Step::Nothing)
    }

    /// Every whole answer ends with `message_stop`.
    fn close(&mut self) -> Option<Step> {
        None
    }
}
