//! Models that others run, reached over HTTP; and what happens when they fail.
//!
//! [`Providers`] is the way in. Behind it:
//!
//! - `config` is what can be set; `secret` reads keys, and never shows one.
//! - `catalogue` knows which provider offers which model, `route` the order in which to ask.
//! - `provider` asks one of them: behind `breaker`, again by `backoff`, through `transport`.
//! - `protocol` says what to send and what an answer means, one file for each; it does no I/O.
//! - `lines` cuts streams, `stream` hands on their pieces, `ledger` counts what it all cost.
//!
//! A request goes to the first provider that offers the model. It is sent again after faults that
//! may pass (408, 429, 5xx, no connection), and then to the next provider; but never once the
//! first piece of an answer was handed on. What is wrong with the request itself is told at once.

mod backoff;
mod breaker;
mod calls;
mod catalogue;
mod config;
mod failure;
mod ledger;
mod lines;
mod protocol;
mod provider;
mod route;
mod secret;
mod stream;
mod transport;

use std::sync::Arc;

use crucible_services::inference::{
    EmbedRequest, Embeddings, Error, GenerateRequest, Generation, GenerationStream, ModelInfo,
    TokenUsage,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

pub use backoff::RetryConfig;
pub use breaker::{Breaker, BreakerConfig, BreakerState, Ticket, Verdict};
pub use config::{ConfigError, ModelEntry, ProviderConfig, ProviderKind, ProvidersConfig};
pub use ledger::ModelUsage;
pub use secret::{Secret, Secrets};

use calls::{Embed, Generate, Stream};
use ledger::Ledger;
use provider::Provider;
use stream::Flow;

/// All providers that are set up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Providers {
    list: Arc<[Arc<Provider>]>,
    ledger: Ledger,
}

/// How a provider is, as seen from the requests that went to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderHealth {
    /// Its name in the configuration.
    pub provider: String,
    /// Whether it is asked: an open breaker means that it failed too often.
    pub breaker: BreakerState,
    /// How many requests are under way.
    pub under_way: usize,
    /// What went wrong last; `None` when something went well since, and before the first request.
    pub trouble: Option<String>,
}

impl Providers {
    /// Sets providers up; nothing is sent before somebody asks for something.
    ///
    /// # Errors
    /// The first provider that cannot be set up, and why.
    pub fn new(config: ProvidersConfig, secrets: &Secrets) -> Result<Self, ConfigError> {
        config.validate()?;
        let list: Result<Vec<_>, ConfigError> = config
            .list
            .into_iter()
            .map(|config| Provider::new(config, secrets.clone()).map(Arc::new))
            .collect();
        Ok(Self {
            list: list?.into(),
            ledger: Ledger::default(),
        })
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns what the providers offer, in the order in which they are asked. One that cannot be
    /// asked now, and could not be before, offers nothing; [`Providers::health`] says why.
    pub async fn models(&self) -> Vec<ModelInfo> {
        let asked = join_all(self.list.iter().map(Provider::offers)).await;
        self.list
            .iter()
            .zip(asked)
            .filter_map(|(provider, offers)| Some((provider, offers.ok()?)))
            .flat_map(|(provider, offers)| {
                let infos: Vec<_> = offers.iter().map(|o| o.info(provider.name())).collect();
                infos
            })
            .collect()
    }

    /// Continues a conversation and returns the whole answer.
    ///
    /// # Errors
    /// [`Error::ModelMissing`] when no provider offers the model; otherwise what the providers
    /// that do failed with.
    pub async fn generate(&self, request: &GenerateRequest) -> Result<Generation, Error> {
        check(request)?;
        let routes = self.routes(&request.model).await?;
        let call = Generate(request);
        let (route, whole, admission) = self.first_answer(routes, &call, &request.model).await?;
        admission.answered();
        let provider = route.provider.name();
        self.ledger
            .cost(provider, &route.offer.upstream, whole.usage);
        Ok(Generation {
            model: route.offer.name,
            provider: provider.to_owned(),
            text: whole.text,
            reason: whole.reason,
            usage: whole.usage,
        })
    }

    /// Continues a conversation piece by piece, and returns once the first piece is there.
    /// Dropping the stream ends the request.
    ///
    /// # Errors
    /// As [`Providers::generate`]; what fails after the first piece is the last item of the stream.
    pub async fn generate_stream(
        &self,
        request: &GenerateRequest,
    ) -> Result<GenerationStream, Error> {
        check(request)?;
        let routes = self.routes(&request.model).await?;
        let call = Stream(request);
        let (route, opened, admission) = self.first_answer(routes, &call, &request.model).await?;
        let flow = Flow {
            opened,
            admission,
            ledger: self.ledger.clone(),
            upstream: route.offer.upstream,
            model: request.model.clone(),
        };
        Ok(flow.into_stream())
    }

    /// Returns one vector of unit length per text. Texts that are longer than the provider's
    /// bound are cut. All come from one provider: vectors of two cannot be compared.
    ///
    /// # Errors
    /// As [`Providers::generate`].
    pub async fn embed(&self, request: &EmbedRequest) -> Result<Embeddings, Error> {
        let Some(model) = request.model.as_deref() else {
            let text = "the model is not named; providers have no model of their own for notes";
            return Err(Error::InvalidRequest(text.to_owned()));
        };
        if request.texts.is_empty() {
            let text = "there are no texts to embed; send at least one";
            return Err(Error::InvalidRequest(text.to_owned()));
        }
        let mut routes = self.routes(model).await?;
        let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(request.texts.len());
        let mut tokens = 0_u64;
        while vectors.len() < request.texts.len() {
            let left = &request.texts[vectors.len()..];
            let (route, part, admission) = self.first_answer(routes, &Embed(left), model).await?;
            admission.answered();
            let usage = TokenUsage {
                prompt: part.tokens,
                completion: 0,
            };
            let (provider, upstream) = (route.provider.name(), &route.offer.upstream);
            self.ledger.cost(provider, upstream, usage);
            tokens = tokens.saturating_add(part.tokens);
            let is_first = vectors.is_empty();
            vectors.extend(part.vectors);
            if !is_first && vectors.first().map(Vec::len) != vectors.last().map(Vec::len) {
                return Err(Error::Provider {
                    provider: provider.to_owned(),
                    reason: "its vectors change their length from one request to the next"
                        .to_owned(),
                });
            }
            routes = vec![route];
        }
        let offer = routes.swap_remove(0).offer;
        Ok(Embeddings {
            model: offer.name,
            revision: offer.revision,
            dimensions: vectors.first().map_or(0, Vec::len),
            vectors,
            tokens,
        })
    }

    /// Returns how each provider is, as seen from the requests that went to it; asks nothing.
    #[must_use]
    pub fn health(&self) -> Vec<ProviderHealth> {
        let health = |provider: &Arc<Provider>| {
            let (breaker, trouble) = provider.condition();
            ProviderHealth {
                provider: provider.name().to_owned(),
                breaker,
                under_way: provider.under_way(),
                trouble,
            }
        };
        self.list.iter().map(health).collect()
    }

    /// Returns what was asked and what it cost since the start, by provider and model.
    #[must_use]
    pub fn usage(&self) -> Vec<ModelUsage> {
        self.ledger.totals()
    }
}

fn check(request: &GenerateRequest) -> Result<(), Error> {
    let fault = if request.messages.is_empty() {
        "there is no message to answer; send at least one"
    } else if request.tokens_max == 0 {
        "tokens_max is 0; ask for at least one token"
    } else if request
        .temperature
        .is_some_and(|t| !(0.0..=2.0).contains(&t))
    {
        "temperature is from 0 to 2"
    } else {
        return Ok(());
    };
    Err(Error::InvalidRequest(fault.to_owned()))
}
