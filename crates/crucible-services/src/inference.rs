//! The vocabulary of the Inference Engine: embeddings and text generation.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Computes embeddings and generates text. Object-safe.
#[async_trait]
pub trait InferenceEngine: Send + Sync {
    /// Returns the models that can be used now.
    ///
    /// # Errors
    /// When the engine cannot list them.
    async fn models(&self) -> Result<Vec<ModelInfo>, Error>;

    /// Returns one vector per text: shape `[texts.len(), dimensions]`, each of unit length.
    ///
    /// # Errors
    /// [`Error::ModelMissing`] when the model is not installed.
    async fn embed(&self, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Error>;

    /// Continues a conversation.
    ///
    /// # Errors
    /// [`Error::ModelMissing`] when no provider offers the model.
    async fn generate(&self, request: GenerateRequest) -> Result<Generation, Error>;
}

/// A model that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The name to ask for.
    pub name: String,
    /// Length of its vectors; `None` for a model that does not embed.
    pub dimensions: Option<usize>,
    /// True when its weights are in memory.
    pub loaded: bool,
}

/// A conversation to continue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// The model's name.
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// The most tokens to generate.
    pub tokens_max: u32,
    /// Sampling temperature from 0 to 2; `None` for the model's own.
    pub temperature: Option<f32>,
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
    /// The text.
    pub text: String,
    /// Tokens read.
    pub tokens_prompt: u32,
    /// Tokens written.
    pub tokens_completion: u32,
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
    /// The request breaks a limit.
    #[error("{0}")]
    InvalidRequest(String),
    /// The engine or a provider failed.
    #[error("{0}")]
    Failed(String),
}
