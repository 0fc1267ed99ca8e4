//! One provider: what it needs to be asked, and when it is not asked.
//!
//! [`Provider::persist`] is the one way to it. It stands behind the number of requests under way
//! and the breaker, and asks again where that can help. What is asked is a [`Call`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::backoff::random;
use super::breaker::{Breaker, BreakerState, Ticket, Verdict};
use super::catalogue::Catalogue;
use super::config::{ConfigError, ProviderConfig};
use super::failure::Failure;
use super::protocol::{self, Ask, Protocol};
use super::secret::Secrets;
use super::transport::{Sending, Transport};

const JSON: &str = "application/json";

/// A provider that is set up.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) config: ProviderConfig,
    pub(crate) protocol: Box<dyn Protocol>,
    pub(crate) transport: Transport,
    pub(crate) catalogue: Mutex<Catalogue>,
    secrets: Secrets,
    breaker: Mutex<Breaker>,
    places: Arc<Semaphore>,
    trouble: Mutex<Option<String>>,
}

/// Something to ask of a provider, once.
#[async_trait]
pub(crate) trait Call: Sync {
    /// What comes of it.
    type Answer: Send;

    /// Asks once; all must be over at `deadline`.
    async fn once(
        &self,
        provider: &Provider,
        model: &str,
        deadline: Instant,
    ) -> Result<Self::Answer, Failure>;
}

impl Provider {
    pub(crate) fn new(config: ProviderConfig, secrets: Secrets) -> Result<Self, ConfigError> {
        let fault = |reason| ConfigError {
            provider: config.name.clone(),
            reason,
        };
        let base = config.base().map_err(fault)?;
        Ok(Self {
            protocol: protocol::of(&config, &base),
            transport: Transport::new(&config, base).map_err(fault)?,
            catalogue: Mutex::new(Catalogue::of(&config)),
            breaker: Mutex::new(Breaker::new(config.breaker.clone())),
            places: Arc::new(Semaphore::new(config.requests_max)),
            trouble: Mutex::default(),
            secrets,
            config,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Asks, and asks again where that can help. The admission is to be settled once the answer
    /// is whole.
    pub(crate) async fn persist<C: Call>(
        self: &Arc<Self>,
        call: &C,
        model: &str,
    ) -> Result<(C::Answer, Admission), Failure> {
        let deadline = Instant::now() + self.config.timeout;
        let mut attempts = 0;
        let mut last = None;
        loop {
            let admission = match self.admit() {
                Ok(admission) => admission,
                // Why the breaker opened says more than that it did.
                Err(refused) => return Err(last.unwrap_or(refused)),
            };
            attempts += 1;
            let failure = match call.once(self, model, deadline).await {
                Ok(answer) => return Ok((answer, admission)),
                Err(failure) => failure,
            };
            admission.failed(&failure);
            let wait = failure
                .is_passing()
                .then(|| {
                    let retry = &self.config.retry;
                    retry.wait(attempts, random(), failure.retry_after())
                })
                .flatten()
                .filter(|wait| Instant::now() + *wait < deadline);
            let Some(wait) = wait else {
                return Err(failure);
            };
            tracing::debug!(
                provider.name = self.name(),
                error = %failure.reason(),
                attempts,
                wait_ms = wait.as_millis(),
                "a provider is asked again"
            );
            last = Some(failure);
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends what is asked, with the key, and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        ask: &Ask,
        wants: &'static str,
        patience: Duration,
        deadline: Instant,
    ) -> Result<reqwest::Response, Failure> {
        let place = self.config.key_place();
        let key = self.secrets.read(&place).await.map_err(Failure::Unusable)?;
        let sending = Sending {
            ask,
            headers: self.protocol.headers(key.as_ref().map(|key| key.expose())),
            wants,
            patience,
            deadline,
        };
        let read_fault = |body: &[u8]| self.protocol.read_fault(body);
        self.transport.send(sending, read_fault, key.as_ref()).await
    }

    /// Sends what is asked and reads an answer that comes at once.
    pub(crate) async fn ask(
        &self,
        ask: &Ask,
        patience: Duration,
        deadline: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let response = self.send(ask, JSON, patience, deadline).await?;
        self.transport.body(response, deadline).await
    }

    /// Returns what the breaker does now, and what went wrong last, if nothing went well since.
    pub(crate) fn condition(&self) -> (BreakerState, Option<String>) {
        let state = lock(&self.breaker).state(Instant::now());
        (state, lock(&self.trouble).clone())
    }

    /// Returns how many requests are under way.
    pub(crate) fn under_way(&self) -> usize {
        let free = self.places.available_permits();
        self.config.requests_max.saturating_sub(free)
    }

    fn admit(self: &Arc<Self>) -> Result<Admission, Failure> {
        let requests_max = self.config.requests_max;
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Failure::Full { requests_max })?;
        let ticket = lock(&self.breaker)
            .admit(Instant::now())
            .map_err(|wait| Failure::Resting { wait })?;
        Ok(Admission {
            provider: Arc::clone(self),
            ticket: Some(ticket),
            _place: place,
        })
    }
}

/// A place among the requests under way, and leave by the breaker. Dropped without a word, it
/// tells nothing: the caller went away.
#[derive(Debug)]
pub(crate) struct Admission {
    provider: Arc<Provider>,
    ticket: Option<Ticket>,
    _place: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Takes note that the answer has begun.
    pub(crate) fn begun(&mut self) {
        let mut breaker = lock(&self.provider.breaker);
        self.ticket = self.ticket.take().map(|ticket| breaker.begun(ticket));
    }

    /// Takes note that the answer is whole.
    pub(crate) fn answered(mut self) {
        *lock(&self.provider.trouble) = None;
        self.settle(Verdict::Answered);
    }

    /// Takes note of what went wrong.
    pub(crate) fn failed(mut self, failure: &Failure) {
        if !failure.is_of_request() {
            *lock(&self.provider.trouble) = Some(failure.reason());
        }
        self.settle(failure.verdict());
    }

    fn settle(&mut self, verdict: Verdict) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let mut breaker = lock(&self.provider.breaker);
        let now = Instant::now();
        let before = breaker.state(now);
        breaker.settle(ticket, verdict, now, random());
        let after = breaker.state(now);
        drop(breaker);
        if before == after {
            return;
        }
        let name = self.provider.name();
        if after == BreakerState::Open {
            tracing::warn!(provider.name = name, "provider is left alone for a while");
        } else {
            tracing::info!(provider.name = name, state = ?after, "provider is asked again");
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.settle(Verdict::Unknown);
    }
}

/// Locks what no panic can leave half done: each change is one assignment or a call of the breaker.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
