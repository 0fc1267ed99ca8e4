//! Which models a provider offers: those that its configuration lists, or those that it names
//! when it is asked.
//!
//! What it named is kept for a while, and longer when it cannot be asked again: a provider that
//! is down still counts as one that offers its models, so that a request can go to the next.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crucible_services::inference::{ModelInfo, ModelKind};
use tokio::time::Instant;

use super::config::{ModelEntry, ProviderConfig};
use super::failure::Failure;
use super::protocol::Listed;
use super::provider::{Call, Provider, lock};

/// How long a list holds.
const FRESH: Duration = Duration::from_secs(60);
/// How long after a failure the provider is not asked for its list again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long the list may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most models that are kept of one provider.
const MODELS_MAX: usize = 10_000;

/// A model that a provider offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The name to ask for here.
    pub(crate) name: String,
    /// The provider's own name for it.
    pub(crate) upstream: String,
    pub(crate) embeds: bool,
    pub(crate) dimensions: Option<usize>,
    /// Tells its vectors from those of another version, or of another provider.
    pub(crate) revision: String,
}

impl Offer {
    /// Says whether `model` asks for this one. Ollama's names have a tag, which may be left out.
    pub(crate) fn answers_to(&self, model: &str) -> bool {
        self.name == model || self.name.strip_suffix(":latest") == Some(model)
    }

    pub(crate) fn info(&self, provider: &str) -> ModelInfo {
        ModelInfo {
            name: self.name.clone(),
            provider: provider.to_owned(),
            kind: if self.embeds {
                ModelKind::Embedding
            } else {
                ModelKind::Generation
            },
            dimensions: self.dimensions,
            revision: self.revision.clone(),
            loaded: false,
        }
    }
}

/// What is known about the models of one provider.
#[derive(Debug)]
pub(crate) struct Catalogue {
    offers: Arc<[Offer]>,
    /// When the list is to be asked for again; `None` when it is the configuration's.
    next: Option<Instant>,
}

impl Catalogue {
    pub(crate) fn of(config: &ProviderConfig) -> Self {
        let offer = |entry: &ModelEntry| Offer {
            name: entry.name.clone(),
            upstream: entry.upstream().to_owned(),
            embeds: entry.embeds,
            dimensions: entry.dimensions,
            revision: revision(&config.name, entry.upstream(), ""),
        };
        Self {
            offers: config.models.iter().map(offer).collect(),
            next: config.models.is_empty().then(Instant::now),
        }
    }
}

impl Provider {
    /// Returns what the provider offers, from memory where that will do.
    ///
    /// # Errors
    /// When it must be asked, cannot be, and could not be before.
    pub(crate) async fn offers(self: &Arc<Self>) -> Result<Arc<[Offer]>, Failure> {
        {
            let catalogue = lock(&self.catalogue);
            if catalogue.next.is_none_or(|next| Instant::now() < next)
                && !(catalogue.offers.is_empty() && catalogue.next.is_some())
            {
                return Ok(Arc::clone(&catalogue.offers));
            }
        }
        let asked = self.persist(&AskModels, "").await;
        let mut catalogue = lock(&self.catalogue);
        match asked {
            Ok((listed, admission)) => {
                admission.answered();
                let offers = listed.into_iter().take(MODELS_MAX);
                catalogue.offers = offers.map(|one| self.offer(one)).collect();
                catalogue.next = Some(Instant::now() + FRESH);
            }
            Err(failure) => {
                catalogue.next = Some(Instant::now() + PAUSE);
                if catalogue.offers.is_empty() {
                    return Err(failure);
                }
                tracing::debug!(
                    provider.name = self.name(),
                    error = %failure.reason(),
                    "the models of a provider are those that it named before"
                );
            }
        }
        Ok(Arc::clone(&catalogue.offers))
    }

    /// Returns the offer of `model`, known or not: a provider that is named with the model is
    /// asked even when it cannot say what it has.
    pub(crate) fn named_offer(&self, model: &str) -> Option<Offer> {
        let catalogue = lock(&self.catalogue);
        let known = catalogue
            .offers
            .iter()
            .find(|offer| offer.answers_to(model));
        let is_fixed = catalogue.next.is_none();
        known.cloned().or_else(|| {
            let listed = Listed {
                name: model.to_owned(),
                embeds: false,
                revision: String::new(),
            };
            (!is_fixed).then(|| self.offer(listed))
        })
    }

    fn offer(&self, listed: Listed) -> Offer {
        Offer {
            revision: revision(self.name(), &listed.name, &listed.revision),
            upstream: listed.name.clone(),
            name: listed.name,
            embeds: listed.embeds,
            dimensions: None,
        }
    }
}

/// Where a provider does not tell versions apart, at least its vectors are told from others'.
fn revision(provider: &str, upstream: &str, given: &str) -> String {
    if given.is_empty() {
        format!("{provider}/{upstream}")
    } else {
        given.to_owned()
    }
}

/// Asks for the list of models.
struct AskModels;

#[async_trait]
impl Call for AskModels {
    type Answer = Vec<Listed>;

    async fn once(
        &self,
        provider: &Provider,
        _model: &str,
        deadline: Instant,
    ) -> Result<Vec<Listed>, Failure> {
        let deadline = deadline.min(Instant::now() + PATIENCE);
        let patience = PATIENCE.min(provider.config.first_byte_timeout);
        let ask = provider.protocol.ask_models();
        let body = provider.ask(&ask, patience, deadline).await?;
        let read = provider.protocol.read_models(&body);
        read.map_err(Failure::Unreadable)
    }
}
