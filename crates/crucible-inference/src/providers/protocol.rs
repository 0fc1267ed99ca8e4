//! What the protocols have in common: requests as paths and bodies, answers as pieces.
//!
//! A protocol does no I/O. It is told a request and says what to send; it is told what came and
//! says what that means. Each file below cites the documentation that it follows.

mod anthropic;
mod ollama;
mod openai;

use crucible_services::inference::{EndReason, GenerateRequest, TokenUsage};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::{ProviderConfig, ProviderKind};
use super::lines::Framing;

/// Something to send: the path below the base, and the body; `None` for a GET.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) path: &'static str,
    pub(crate) body: Option<Value>,
}

/// A model that a provider says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) embeds: bool,
    /// Tells versions of the weights apart; empty where the provider does not say.
    pub(crate) revision: String,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) reason: EndReason,
    pub(crate) usage: TokenUsage,
}

/// Vectors in the order of the texts, as the provider made them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vectors {
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) tokens: u64,
}

/// What one message of a stream means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing for the caller.
    Nothing,
    /// More text.
    Text(String),
    /// The answer is whole.
    End(EndReason, TokenUsage),
    /// The provider gave up in the middle; what it says.
    Failed(String),
}

/// What came is not what the protocol says. Messages read after "answered with ".
pub(crate) type Unreadable = String;

/// A way to speak with a provider.
pub(crate) trait Protocol: Send + Sync + std::fmt::Debug {
    /// Returns the headers that a key, or none, asks for: name and value.
    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)>;

    /// Returns how to ask for the models.
    fn ask_models(&self) -> Ask;

    /// Reads the answer to [`Protocol::ask_models`].
    fn read_models(&self, body: &[u8]) -> Result<Vec<Listed>, Unreadable>;

    /// Returns how to ask for a generation, at once or as a stream.
    fn ask_generation(&self, model: &str, request: &GenerateRequest, streams: bool) -> Ask;

    /// Reads a generation that came at once.
    fn read_generation(&self, body: &[u8]) -> Result<Whole, Unreadable>;

    /// Returns how streams are framed, and the media type that says so.
    fn framing(&self) -> (Framing, &'static str);

    /// Returns what reads one stream.
    fn reader(&self) -> Box<dyn ReadStream>;

    /// Returns how to ask for vectors; `None` when the protocol has none.
    fn ask_vectors(&self, model: &str, texts: &[&str]) -> Option<Ask>;

    /// Reads vectors.
    fn read_vectors(&self, body: &[u8]) -> Result<Vectors, Unreadable>;

    /// Returns what a body that came with a fault says, if it says it in the protocol's way.
    fn read_fault(&self, body: &[u8]) -> Option<String>;
}

/// Reads the messages of one stream, in order.
pub(crate) trait ReadStream: Send {
    /// Reads the next message.
    fn read(&mut self, message: &str) -> Result<Step, Unreadable>;

    /// Says what it means that the stream ends here in good order: the end, if the answer was
    /// whole, and `None` if it was not.
    fn close(&mut self) -> Option<Step>;
}

/// Returns the protocol that the provider speaks.
pub(crate) fn of(config: &ProviderConfig, base: &str) -> Box<dyn Protocol> {
    match config.kind {
        ProviderKind::OpenAi => Box::new(openai::OpenAi::at(base)),
        ProviderKind::Ollama => Box::new(ollama::Ollama),
        ProviderKind::Anthropic => Box::new(anthropic::Anthropic),
    }
}

/// Reads JSON of the expected shape.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| format!("something that cannot be read: {error}"))
}

/// Writes a temperature as a person would, and not as the nearest number of twice its width.
fn temperature(value: f32) -> Value {
    value
        .to_string()
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}
