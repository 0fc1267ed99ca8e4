//! An engine that costs nothing: a vector is the sum of a random one for each word.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use crucible_services::inference::{
    EmbedRequest, Embeddings, Error, GenerateRequest, Generation, GenerationStream,
    InferenceEngine, ModelInfo, ModelKind, Urgency,
};

/// As many as all-MiniLM-L6-v2 has.
pub(crate) const DIMENSIONS: usize = 384;
const MODEL: &str = "words";

/// The engine, which keeps what it has made for the peer.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    made: Mutex<HashMap<String, Vec<f32>>>,
}

impl Engine {
    /// The vectors of all texts that were embedded in the background, each text once.
    pub(crate) fn vectors(&self) -> Vec<Vec<f32>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.values().cloned().collect()
    }
}

/// The vector of a text.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let mut sum = vec![1e-3_f32; DIMENSIONS];
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 3)
    {
        let mut bytes = [0; DIMENSIONS];
        blake3::Hasher::new()
            .update(word.to_lowercase().as_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        for (sum, byte) in sum.iter_mut().zip(bytes) {
            *sum += f32::from(byte.cast_signed());
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.into_iter().map(|x| x / length).collect()
}

#[async_trait]
impl InferenceEngine for Engine {
    async fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        Ok(vec![self.embedding_model().await?])
    }

    async fn embedding_model(&self) -> Result<ModelInfo, Error> {
        Ok(ModelInfo {
            name: MODEL.to_owned(),
            provider: "local".to_owned(),
            kind: ModelKind::Embedding,
            dimensions: Some(DIMENSIONS),
            revision: String::new(),
            loaded: true,
        })
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, Error> {
        let vectors: Vec<_> = request.texts.iter().map(|text| vector(text)).collect();
        if request.urgency == Urgency::Background {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.extend(request.texts.into_iter().zip(vectors.iter().cloned()));
        }
        Ok(Embeddings {
            model: MODEL.to_owned(),
            revision: String::new(),
            dimensions: DIMENSIONS,
            vectors,
            tokens: 0,
        })
    }

    async fn generate(&self, _request: GenerateRequest) -> Result<Generation, Error> {
        Err(Error::InvalidRequest("it only embeds".to_owned()))
    }

    async fn generate_stream(&self, _request: GenerateRequest) -> Result<GenerationStream, Error> {
        Err(Error::InvalidRequest("it only embeds".to_owned()))
    }
}
