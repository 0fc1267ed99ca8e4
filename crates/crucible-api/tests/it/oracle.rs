//! An inference engine that answers by the name of the model it is asked for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::inference::{
    EmbedRequest, Embeddings, EndReason, Error, GenerateRequest, Generation, GenerationPiece,
    GenerationStream, InferenceEngine, ModelInfo, ModelKind, TokenUsage,
};
use futures_util::StreamExt as _;

/// Answers `echo` with what was said last, word by word, and fails for models called after a
/// fault.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// What was asked, newest last.
    pub(crate) asked: Mutex<Vec<GenerateRequest>>,
    /// Has a handle for each open stream.
    pub(crate) open: Arc<()>,
}

const USAGE: TokenUsage = TokenUsage {
    prompt: 5,
    completion: 2,
};

fn fault(model: &str) -> Result<(), Error> {
    let text = || "it is on fire".to_owned();
    Err(match model {
        "echo" | "vectors" | "breaks" | "waits" => return Ok(()),
        "busy" => Error::Busy {
            reason: text(),
            retry_after: Some(Duration::from_millis(6500)),
        },
        "late" => Error::TimedOut {
            deadline: Duration::from_secs(9),
        },
        "invalid" => Error::InvalidRequest(text()),
        "broken" => Error::ModelBroken {
            model: model.to_owned(),
            reason: text(),
        },
        "provider" => Error::Provider {
            provider: "p".to_owned(),
            reason: text(),
        },
        "failed" => Error::Failed(text()),
        _ => Error::ModelMissing {
            model: model.to_owned(),
            hint: "there are echo and vectors".to_owned(),
        },
    })
}

fn info(name: &str, provider: &str, kind: ModelKind) -> ModelInfo {
    ModelInfo {
        name: name.to_owned(),
        provider: provider.to_owned(),
        kind,
        dimensions: (kind == ModelKind::Embedding).then_some(3),
        revision: String::new(),
        loaded: false,
    }
}

#[async_trait]
impl InferenceEngine for Oracle {
    async fn models(&self) -> Result<Vec<ModelInfo>, Error> {
        Ok(vec![
            info("vectors", "local", ModelKind::Embedding),
            info("echo", "p", ModelKind::Generation),
            info("echo", "q", ModelKind::Generation),
        ])
    }

    async fn embedding_model(&self) -> Result<ModelInfo, Error> {
        Ok(info("vectors", "local", ModelKind::Embedding))
    }

    async fn embed(&self, request: EmbedRequest) -> Result<Embeddings, Error> {
        let model = request.model.unwrap_or_default();
        fault(&model)?;
        let vector = |text: &String| {
            let length = f32::from(u16::try_from(text.len()).unwrap_or(u16::MAX));
            vec![length, -0.5, 1.0e-3]
        };
        Ok(Embeddings {
            model,
            revision: String::new(),
            dimensions: 3,
            vectors: request.texts.iter().map(vector).collect(),
            tokens: 7,
        })
    }

    async fn generate(&self, request: GenerateRequest) -> Result<Generation, Error> {
        fault(&request.model)?;
        if request.model == "waits" {
            std::future::pending::<()>().await;
        }
        let text = request.messages.last().unwrap().content.clone();
        let model = request.model.clone();
        self.asked.lock().unwrap().push(request);
        Ok(Generation {
            model,
            provider: "p".to_owned(),
            text,
            reason: EndReason::Stop,
            usage: USAGE,
        })
    }

    async fn generate_stream(&self, request: GenerateRequest) -> Result<GenerationStream, Error> {
        fault(&request.model)?;
        let text = request.messages.last().unwrap().content.clone();
        let words = text.split_inclusive(' ').map(str::to_owned);
        let mut items: Vec<_> = words.map(|w| Ok(GenerationPiece::Text(w))).collect();
        items.push(if request.model == "breaks" {
            Err(Error::Provider {
                provider: "p".to_owned(),
                reason: "the connection broke".to_owned(),
            })
        } else {
            Ok(GenerationPiece::End {
                reason: EndReason::Length,
                usage: USAGE,
            })
        });
        let waits = request.model == "waits";
        if waits {
            items.pop();
        }
        self.asked.lock().unwrap().push(request);
        let handle = Arc::clone(&self.open);
        let pieces = futures_util::stream::iter(items).inspect(move |_| {
            // Held for as long as the stream is.
            let _held = &handle;
        });
        Ok(GenerationStream(if waits {
            Box::pin(pieces.chain(futures_util::stream::pending()))
        } else {
            Box::pin(pieces)
        }))
    }
}
