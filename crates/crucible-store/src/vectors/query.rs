//! Asking the engine for vectors, believing nothing it answers, and comparing a query with them.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::inference::{EmbedRequest, Embeddings, Error, InferenceEngine, Urgency};

use super::kernel::unit;
use super::status::Model;
use super::{ModelKey, Vectors};
use crate::keyed::KeySet;
use crate::text::Nearest;

/// Embeds some texts; the vectors are of unit length, as many as there are texts.
///
/// # Errors
/// Besides those of the engine, [`Error::Failed`] when it answered what cannot be vectors.
pub(super) async fn embed_some(
    engine: &dyn InferenceEngine,
    model: &str,
    texts: Vec<String>,
    urgency: Urgency,
) -> Result<Embeddings, Error> {
    let wanted = texts.len();
    let request = EmbedRequest {
        model: Some(model.to_owned()),
        texts,
        urgency,
    };
    let mut answer = engine.embed(request).await?;
    let broken = |what: String| {
        Error::Failed(format!(
            "the engine answered {what}; check the model {model:?}"
        ))
    };
    if answer.vectors.len() != wanted {
        let count = answer.vectors.len();
        return Err(broken(format!("{count} vectors for {wanted} texts")));
    }
    let dimensions = answer.dimensions;
    let mut vectors = Vec::with_capacity(wanted);
    for vector in answer.vectors {
        let length = vector.len();
        if length != dimensions || dimensions == 0 {
            return Err(broken(format!(
                "a vector of {length} numbers where it said {dimensions}"
            )));
        }
        let vector = unit(vector).ok_or_else(|| {
            broken("a vector with a number that is none, or no length".to_owned())
        })?;
        vectors.push(vector);
    }
    answer.vectors = vectors;
    Ok(answer)
}

/// Refuses vectors that are not those of `model`.
///
/// # Errors
/// [`Error::Failed`].
pub(super) fn check_model(answer: &Embeddings, model: &ModelKey) -> Result<(), Error> {
    if answer.dimensions == model.dimensions && answer.revision == model.revision {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "the engine answered vectors of {} numbers of revision {:?}, where {:?} has {} and is of \
         revision {:?}",
        answer.dimensions, answer.revision, model.name, model.dimensions, model.revision
    )))
}

/// A query, ready to be compared with the vectors of its model.
#[derive(Debug)]
pub(crate) struct Comparison {
    vectors: Arc<Vectors>,
    model: ModelKey,
    query: Vec<f32>,
}

impl Nearest for Comparison {
    fn nearest(&self, count: usize, allowed: Option<&KeySet>) -> Vec<(u64, f32)> {
        self.vectors
            .with_shelf(|shelf| {
                let is_same = *shelf.model() == self.model;
                is_same.then(|| shelf.nearest(&self.query, count, allowed))
            })
            .flatten()
            .unwrap_or_default()
    }
}

impl Vectors {
    /// Embeds a query within `deadline`.
    ///
    /// # Errors
    /// Why the search can only go by words, in a sentence for a person.
    pub(crate) async fn compare(
        self: &Arc<Self>,
        query: String,
        deadline: Duration,
    ) -> Result<Comparison, String> {
        let asked = tokio::time::timeout(deadline, self.compare_now(query)).await;
        asked.unwrap_or_else(|_elapsed| {
            Err(format!(
                "Searched by words only: the query was not embedded within {} s.",
                deadline.as_secs_f32()
            ))
        })
    }

    async fn compare_now(self: &Arc<Self>, query: String) -> Result<Comparison, String> {
        let model = self.model_for_search().await?;
        let is_empty = self.with_shelf(|shelf| shelf.len() == 0).unwrap_or(true);
        if is_empty {
            let why = self.status().incomplete();
            let why = why.unwrap_or_else(|| "no block has a vector yet.".to_owned());
            return Err(format!("Searched by words only. {why}"));
        }
        let embedded = embed_some(
            self.engine.as_ref(),
            &model.name,
            vec![query],
            Urgency::Interactive,
        );
        let checked = embedded
            .await
            .and_then(|answer| check_model(&answer, &model).map(|()| answer));
        match checked {
            Ok(mut answer) => Ok(Comparison {
                vectors: Arc::clone(self),
                query: answer.vectors.pop().unwrap_or_default(),
                model,
            }),
            Err(error) => Err(format!(
                "Searched by words only: the query could not be embedded ({error})."
            )),
        }
    }

    /// The model, asked for now when nobody follows it.
    async fn model_for_search(self: &Arc<Self>) -> Result<ModelKey, String> {
        let status = self.status();
        let is_followed = self.following.try_lock().is_err();
        let must_ask = match &status.model {
            Model::Ready(_) => {
                !is_followed && self.with_shelf(|shelf| shelf.is_stale()) == Some(true)
            }
            Model::Closed => false,
            _ => !is_followed,
        };
        let model = if must_ask {
            self.refresh().await
        } else {
            status.model
        };
        match model {
            Model::Ready(key) => Ok(key),
            _ => Err(self.status().only_words().unwrap_or_default()),
        }
    }
}
