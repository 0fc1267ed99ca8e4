//! Ollama's own protocol.
//!
//! <https://docs.ollama.com/api/chat>, <https://docs.ollama.com/api/embed>,
//! <https://docs.ollama.com/api/tags>

use crucible_services::inference::{EndReason, GenerateRequest, TokenUsage};
use serde::Deserialize;
use serde_json::json;

use super::{Ask, Framing, Listed, Protocol, ReadStream, Step, Unreadable, Vectors, Whole};

#[derive(Debug)]
pub(super) struct Ollama;

impl Protocol for Ollama {
    /// A server of one's own asks for no key; one behind a gate, and the public one, for this.
    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        key.map(|key| ("authorization", format!("Bearer {key}")))
            .into_iter()
            .collect()
    }

    fn ask_models(&self) -> Ask {
        Ask {
            path: "/tags",
            body: None,
        }
    }

    fn read_models(&self, body: &[u8]) -> Result<Vec<Listed>, Unreadable> {
        let tags: Tags = super::json(body)?;
        let listed = |model: Model| {
            let is_bert = model.details.family.contains("bert");
            Listed {
                embeds: is_bert || model.name.contains("embed"),
                name: model.name,
                revision: model.digest,
            }
        };
        Ok(tags.models.into_iter().map(listed).collect())
    }

    fn ask_generation(&self, model: &str, request: &GenerateRequest, streams: bool) -> Ask {
        let mut options = json!({ "num_predict": request.tokens_max });
        if let Some(temperature) = request.temperature {
            options["temperature"] = super::temperature(temperature);
        }
        if !request.stop.is_empty() {
            options["stop"] = json!(request.stop);
        }
        Ask {
            path: "/chat",
            body: Some(json!({
                "model": model,
                "messages": request.messages,
                "stream": streams,
                "options": options,
            })),
        }
    }

    fn read_generation(&self, body: &[u8]) -> Result<Whole, Unreadable> {
        let answer: Answer = super::json(body)?;
        if !answer.done {
            return Err("a part of an answer where the whole was asked for".to_owned());
        }
        Ok(Whole {
            reason: answer.reason(),
            usage: answer.usage(),
            text: answer.message.unwrap_or_default().content,
        })
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Lines, "application/x-ndjson")
    }

    fn reader(&self) -> Box<dyn ReadStream> {
        Box::new(Reader::default())
    }

    fn ask_vectors(&self, model: &str, texts: &[&str]) -> Option<Ask> {
        Some(Ask {
            path: "/embed",
            body: Some(json!({ "model": model, "input": texts, "truncate": true })),
        })
    }

    fn read_vectors(&self, body: &[u8]) -> Result<Vectors, Unreadable> {
        let answer: Embedded = super::json(body)?;
        Ok(Vectors {
            vectors: answer.embeddings,
            tokens: answer.prompt_eval_count,
        })
    }

    fn read_fault(&self, body: &[u8]) -> Option<String> {
        let fault: Fault = serde_json::from_slice(body).ok()?;
        Some(fault.error)
    }
}

#[derive(Deserialize)]
struct Tags {
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    name: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    family: String,
}

/// A whole answer, or one line of a stream.
#[derive(Deserialize)]
struct Answer {
    message: Option<Message>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: u64,
    #[serde(default)]
    eval_count: u64,
    error: Option<String>,
}

impl Answer {
    fn reason(&self) -> EndReason {
        match self.done_reason.as_deref() {
            Some("length") => EndReason::Length,
            _ => EndReason::Stop,
        }
    }

    const fn usage(&self) -> TokenUsage {
        TokenUsage {
            prompt: self.prompt_eval_count,
            completion: self.eval_count,
        }
    }
}

#[derive(Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Embedded {
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: u64,
}

#[derive(Deserialize)]
struct Fault {
    error: String,
}

/// The line that says it is done may carry the last text.
#[derive(Default)]
struct Reader {
    end: Option<Step>,
}

impl ReadStream for Reader {
    fn read(&mut self, message: &str) -> Result<Step, Unreadable> {
        let line: Answer = super::json(message.as_bytes())?;
        if let Some(fault) = line.error {
            return Ok(Step::Failed(fault));
        }
        let end = line.done.then(|| Step::End(line.reason(), line.usage()));
        let text = line.message.unwrap_or_default().content;
        Ok(match (text.is_empty(), end) {
            (true, Some(end)) => end,
            (true, None) => Step::Nothing,
            (false, end) => {
                self.end = end;
                Step::Text(text)
            }
        })
    }

    fn close(&mut self) -> Option<Step> {
        self.end.take()
    }
}
