//! Models that are not in this process.
//!
//! A [`Provider`] speaks to one server that runs models.

use async_trait::async_trait;
use crucible_services::inference::{
    EmbedRequest, Embeddings, Error, GenerateRequest, GenerationStream, ModelInfo,
};

/// Runs models that are not in this process. Object-safe.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Returns the provider's name in the configuration.
    fn name(&self) -> &str;

    /// Asks which models it offers.
    ///
    /// # Errors
    /// [`Error::Provider`] when it cannot be asked.
    async fn models(&self) -> Result<Vec<ModelInfo>, Error>;

    /// Returns one vector per text.
    ///
    /// # Errors
    /// As [`crucible_services::inference::InferenceEngine::embed`].
    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, Error>;

    /// Continues a conversation piece by piece; dropping the stream ends the request.
    ///
    /// # Errors
    /// As [`crucible_services::inference::InferenceEngine::generate_stream`].
    async fn generate_stream(&self, request: GenerateRequest) -> Result<GenerationStream, Error>;

    /// Asks the cheapest question that shows whether the provider can be reached.
    ///
    /// # Errors
    /// [`Error::Provider`] when it cannot.
    async fn probe(&self) -> Result<(), Error>;
}
