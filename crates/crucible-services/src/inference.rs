//! The vocabulary of the Inference Engine: embeddings and text generation.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Computes embeddings and generates text. Object-safe.
#[async_trait]
pub trait InferenceEngine: Send + Sync {
    /// Returns the models that can be used now: installed ones and those that providers offer.
    ///
    /// # Errors
    /// When the engine cannot list them.
    async fn models(&self) -> Result<Vec<ModelInfo>, Error>;

    /// Returns the model that notes are embedded with.
    ///
    /// # Errors
    /// [`Error::ModelMissing`], with how to get it, when it is not installed.
    async fn embedding_model(&self) -> Result<ModelInfo, Error>;

    /// Returns one vector per text.
    ///
    /// A text that is longer than the model reads is cut to what it reads.
    ///
    /// # Errors
    /// [`Error::ModelMissing`] when the model is not installed.
    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, Error>;

    /// Continues a conversation and returns the whole answer.
    ///
    /// # Errors
    /// [`Error::ModelMissing`] when no provider offers the model.
    async fn generate(&self, request: GenerateRequest) -> Result<Generation, Error>;

    /// Continues a conversation piece by piece; dropping the stream ends the request.
    ///
    /// # Errors
    /// As [`InferenceEngine::generate`]; what fails later comes as the last item of the stream.
    async fn generate_stream(&self, request: GenerateRequest) -> Result<GenerationStream, Error>;
}

/// The pieces of an answer, in order; the last one is [`GenerationPiece::End`] or an error.
pub struct GenerationStream(
    /// The stream.
    pub Pin<Box<dyn Stream<Item = Result<GenerationPiece, Error>> + Send>>,
);

impl fmt::Debug for GenerationStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GenerationStream")
    }
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GenerationPiece {
    /// More text.
    Text(String),
    /// The answer is whole.
    End {
        /// Why it ended.
        reason: EndReason,
        /// What it cost.
        usage: TokenUsage,
    },
}

/// A model that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The name to ask for.
    pub name: String,
    /// Who runs it: `local`, or the provider's name in the configuration.
    pub provider: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Length of its vectors; `None` for a model that does not embed, or where it is not known.
    pub dimensions: Option<usize>,
    /// Tells versions of the weights apart: vectors of another revision are not comparable.
    /// Empty where it is not known.
    #[serde(default)]
    pub revision: String,
    /// True when its weights are in this process's memory.
    pub loaded: bool,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// Embeddings.
    Embedding,
    /// Text generation.
    Generation,
}

/// Texts to embed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The model's name; `None` for the one that notes are embedded with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The texts.
    pub texts: Vec<String>,
    /// Whether somebody waits for the answer.
    #[serde(default)]
    pub urgency: Urgency,
}

/// Whether somebody waits for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Somebody waits: goes before everything in the background.
    #[default]
    Interactive,
    /// Nobody waits: gives way.
    Background,
}

/// Vectors and what they cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// The model that made them.
    pub model: String,
    /// Which version of its weights.
    pub revision: String,
    /// Length of each vector.
    pub dimensions: usize,
    /// Shape `[texts, dimensions]`, each of unit length.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read.
    pub tokens: u64,
}

/// A conversation to continue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// The model's name; a provider's name may stand before it, as in `ollama/llama3`.
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// The most tokens to generate.
    pub tokens_max: u32,
    /// Sampling temperature from 0 to 2; `None` for the model's own.
    pub temperature: Option<f32>,
    /// Where to stop, besides the model's own end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The one who sets the frame.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// Generated text and what it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The model that answered.
    pub model: String,
    /// The provider that answered.
    pub provider: String,
    /// The text.
    pub text: String,
    /// Why it ended.
    pub reason: EndReason,
    /// What it cost.
    pub usage: TokenUsage,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The model had finished, or came to a stop sequence.
    Stop,
    /// The most tokens were reached.
    Length,
    /// The provider withheld the rest.
    Filtered,
}

/// What a request cost, as counted by whoever ran the model; 0 where it did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens read.
    pub prompt: u64,
    /// Tokens written.
    pub completion: u64,
}

/// Why the engine could not answer. Messages read after "failed to ..: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing offers the model.
    #[error("model {model:?} is not available: {hint}")]
    ModelMissing {
        /// The model asked for.
        model: String,
        /// How to get it.
        hint: String,
    },
    /// The model's files cannot be used.
    #[error("model {model:?} cannot be used: {reason}")]
    ModelBroken {
        /// The model.
        model: String,
        /// What is wrong with it, and the cure.
        reason: String,
    },
    /// The request breaks a limit.
    #[error("{0}")]
    InvalidRequest(String),
    /// Too much is waiting, or a provider asks to wait.
    #[error("{reason}")]
    Busy {
        /// Why.
        reason: String,
        /// How long to wait before asking again; `None` when unknown.
        retry_after: Option<Duration>,
    },
    /// The deadline passed.
    #[error("no answer within {} s", deadline.as_secs_f32())]
    TimedOut {
        /// The deadline.
        deadline: Duration,
    },
    /// A provider failed, or answered what cannot be read.
    #[error("provider {provider:?}: {reason}")]
    Provider {
        /// The provider's name in the configuration.
        provider: String,
        /// What happened; no secret.
        reason: String,
    },
    /// The engine failed.
    #[error("{0}")]
    Failed(String),
}
