//! Which providers are asked for a model, in which order, and what it means when none answers.

use std::sync::Arc;

use crucible_services::inference::Error;
use futures_util::future::join_all;

use super::Providers;
use super::catalogue::Offer;
use super::failure::Failure;
use super::provider::{Admission, Call, Provider};

/// How many names a message lists.
const NAMED_MAX: usize = 8;

/// One provider that offers the model, and how it calls it.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) provider: Arc<Provider>,
    pub(super) offer: Offer,
}

impl Providers {
    /// Returns the routes to `model`, best first; there is at least one.
    ///
    /// A provider's name before the model's chooses that provider alone. Models may have a `/` in
    /// their own names, so that what stands before it counts only when a provider is called so.
    pub(super) async fn routes(&self, model: &str) -> Result<Vec<Route>, Error> {
        if let Some((name, rest)) = model.split_once('/')
            && let Some(provider) = self.list.iter().find(|p| p.name() == name)
        {
            return pinned(provider, rest, model).await.map(|route| vec![route]);
        }
        let asked = join_all(self.list.iter().map(Provider::offers)).await;
        let mut routes = Vec::new();
        let mut silent = Vec::new();
        for (provider, offers) in self.list.iter().zip(&asked) {
            match offers {
                Ok(offers) => {
                    routes.extend(
                        offers
                            .iter()
                            .find(|o| o.answers_to(model))
                            .map(|offer| Route {
                                provider: Arc::clone(provider),
                                offer: offer.clone(),
                            }),
                    );
                }
                Err(failure) => silent.push(format!("{} {}", provider.name(), failure.reason())),
            }
        }
        if !routes.is_empty() {
            return Ok(routes);
        }
        let offered = asked.iter().flatten().flat_map(|offers| offers.iter());
        Err(missing(model, self.hint(offered, &silent)))
    }

    fn hint<'a>(&self, offered: impl Iterator<Item = &'a Offer>, silent: &[String]) -> String {
        if self.is_empty() {
            return "no provider is set up; add one to [[inference.providers]] in crucible.toml"
                .to_owned();
        }
        let mut names: Vec<&str> = offered.map(|offer| offer.name.as_str()).collect();
        let more = names.len().saturating_sub(NAMED_MAX);
        names.truncate(NAMED_MAX);
        let mut hint = if names.is_empty() {
            "no provider offers a model now".to_owned()
        } else {
            format!("providers offer {}", names.join(", "))
        };
        if more > 0 {
            hint.push_str(&format!(" and {more} more"));
        }
        for reason in silent {
            hint.push_str("; provider ");
            hint.push_str(reason);
        }
        hint
    }

    /// Asks one provider after the other and returns the first answer.
    pub(super) async fn first_answer<C: Call>(
        &self,
        routes: Vec<Route>,
        call: &C,
        model: &str,
    ) -> Result<(Route, C::Answer, Admission), Error> {
        let mut failures = Vec::new();
        for route in routes {
            let (provider, upstream) = (&route.provider, &route.offer.upstream);
            self.ledger.asked(provider.name(), upstream);
            match provider.persist(call, upstream).await {
                Ok((answer, admission)) => return Ok((route, answer, admission)),
                Err(failure) => {
                    self.ledger.failed(provider.name(), upstream);
                    if failure.is_of_request() {
                        return Err(failure.into_error(provider.name(), model));
                    }
                    tracing::warn!(
                        provider.name = provider.name(),
                        model,
                        error = %failure.reason(),
                        "a provider did not answer"
                    );
                    failures.push((provider.name().to_owned(), failure));
                }
            }
        }
        Err(together(failures, model))
    }
}

/// Returns the route to the model that `provider` calls `rest`.
///
/// What the provider cannot list is asked for all the same, but only when it can be reached: until
/// it has been, nobody knows which version its vectors would be of.
async fn pinned(provider: &Arc<Provider>, rest: &str, model: &str) -> Result<Route, Error> {
    if let Err(failure) = provider.offers().await
        && !matches!(failure, Failure::Status { .. } | Failure::Unreadable(_))
    {
        return Err(failure.into_error(provider.name(), model));
    }
    let offer = provider.named_offer(rest).ok_or_else(|| {
        let name = provider.name();
        missing(
            model,
            format!("add {rest:?} to the models of provider {name:?}, or use another"),
        )
    })?;
    Ok(Route {
        provider: Arc::clone(provider),
        offer,
    })
}

fn missing(model: &str, hint: String) -> Error {
    Error::ModelMissing {
        model: model.to_owned(),
        hint,
    }
}

/// Makes one error of what all providers failed with.
fn together(mut failures: Vec<(String, Failure)>, model: &str) -> Error {
    if failures.len() == 1 {
        let (name, failure) = failures.swap_remove(0);
        return failure.into_error(&name, model);
    }
    let told: Vec<String> = failures
        .iter()
        .map(|(name, failure)| format!("{name} {}", failure.reason()))
        .collect();
    let reason = told.join("; ");
    let errors: Vec<Error> = failures
        .iter()
        .map(|(name, failure)| failure.clone().into_error(name, model))
        .collect();
    if errors.iter().all(|e| matches!(e, Error::Busy { .. })) {
        let waits = errors.iter().filter_map(|error| match error {
            Error::Busy { retry_after, .. } => *retry_after,
            _ => None,
        });
        return Error::Busy {
            retry_after: waits.min(),
            reason,
        };
    }
    if errors
        .iter()
        .all(|e| matches!(e, Error::ModelMissing { .. }))
    {
        return missing(model, reason);
    }
    let names: Vec<&str> = failures.iter().map(|(name, _)| name.as_str()).collect();
    Error::Provider {
        provider: names.join(", "),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resting(seconds: u64) -> Failure {
        Failure::Resting {
            wait: Duration::from_secs(seconds),
        }
    }

    fn joined(failures: &[Failure]) -> Error {
        let named = failures.iter().zip(["a", "b"]);
        let named = named.map(|(failure, name)| (name.to_owned(), failure.clone()));
        together(named.collect(), "m")
    }

    #[test]
    fn when_all_ask_to_wait_the_shortest_wait_is_handed_on() {
        let Error::Busy {
            retry_after,
            reason,
        } = joined(&[resting(9), resting(3)])
        else {
            panic!("not busy");
        };
        assert_eq!(retry_after, Some(Duration::from_secs(3)));
        assert!(reason.contains("a failed") && reason.contains("b failed"));
    }

    #[test]
    fn different_failures_are_all_told() {
        let gone = Failure::Unreachable("connection refused".to_owned());
        let Error::Provider { provider, reason } = joined(&[gone, resting(3)]) else {
            panic!("not a failure of providers");
        };
        assert_eq!(provider, "a, b");
        assert!(reason.contains("connection refused"), "{reason}");
    }
}
