//! A piece of work for the worker.

use crucible_services::inference::{Embeddings, Error, Urgency};
use tokio::sync::oneshot;

use crate::models::InstalledModel;

/// What the worker can be asked for.
#[derive(Debug)]
pub(super) enum Job {
    /// Vectors.
    Embed(EmbedJob),
    /// A sign of life: a vector from a model that is in memory, if there is one.
    Check(oneshot::Sender<Result<(), String>>),
}

/// Texts, and how far they have come.
#[derive(Debug)]
pub(super) struct EmbedJob {
    /// Whose vectors.
    pub model: InstalledModel,
    /// All texts, each cut to what the model reads.
    pub texts: Vec<String>,
    /// Whether somebody waits.
    pub urgency: Urgency,
    /// Vectors of the first texts.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read for them.
    pub tokens: u64,
    /// Who asked.
    pub reply: oneshot::Sender<Result<Embeddings, Error>>,
}

impl Job {
    pub(super) fn urgency(&self) -> Urgency {
        match self {
            Self::Embed(job) => job.urgency,
            Self::Check(_) => Urgency::Interactive,
        }
    }

    /// Returns the bytes of text that are not done yet.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Embed(job) => job.rest().iter().map(String::len).sum(),
            Self::Check(_) => 0,
        }
    }

    /// Says whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Embed(job) => job.reply.is_closed(),
            Self::Check(reply) => reply.is_closed(),
        }
    }

    #[cfg(test)]
    pub(super) fn for_test(text: &str, urgency: Urgency) -> Self {
        Self::Embed(EmbedJob {
            model: InstalledModel {
                name: "m".to_owned(),
                path: "m".into(),
                dimensions: 1,
                tokens_max: 8,
                revision: String::new(),
                bytes: 0,
                source: String::new(),
            },
            texts: vec![text.to_owned()],
            urgency,
            vectors: Vec::new(),
            tokens: 0,
            reply: oneshot::channel().0,
        })
    }
}

impl EmbedJob {
    /// Returns the texts that have no vector yet.
    pub(super) fn rest(&self) -> &[String] {
        &self.texts[self.vectors.len()..]
    }

    /// Answers with what there is.
    pub(super) fn answer(self) {
        let embeddings = Embeddings {
            model: self.model.name,
            revision: self.model.revision,
            dimensions: self.model.dimensions,
            vectors: self.vectors,
            tokens: self.tokens,
        };
        let _left = self.reply.send(Ok(embeddings));
    }
}
