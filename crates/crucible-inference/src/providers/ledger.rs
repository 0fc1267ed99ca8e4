//! What was asked of each provider's models, and what it cost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crucible_services::inference::TokenUsage;
use serde::{Deserialize, Serialize};

/// How many pairs of provider and model are counted apart; what comes after is counted together.
const PAIRS_MAX: usize = 512;
/// The name under which the rest is counted.
const REST: &str = "(others)";

/// Totals of one model at one provider since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// The provider's name in the configuration.
    pub provider: String,
    /// The provider's own name for the model.
    pub model: String,
    /// How often something was asked; asking again after a fault counts once.
    pub requests: u64,
    /// How often that came to nothing.
    pub failures: u64,
    /// Tokens read.
    pub tokens_prompt: u64,
    /// Tokens written.
    pub tokens_completion: u64,
}

/// Counts. Cheap to clone: all clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    totals: Arc<Mutex<BTreeMap<(String, String), ModelUsage>>>,
}

impl Ledger {
    /// Counts a request.
    pub(crate) fn asked(&self, provider: &str, model: &str) {
        self.change(provider, model, |total| total.requests += 1);
    }

    /// Counts a request that came to nothing.
    pub(crate) fn failed(&self, provider: &str, model: &str) {
        self.change(provider, model, |total| total.failures += 1);
    }

    /// Counts what an answer cost.
    pub(crate) fn cost(&self, provider: &str, model: &str, usage: TokenUsage) {
        self.change(provider, model, |total| {
            total.tokens_prompt = total.tokens_prompt.saturating_add(usage.prompt);
            total.tokens_completion = total.tokens_completion.saturating_add(usage.completion);
        });
    }

    /// Returns all totals, by provider and model.
    pub(crate) fn totals(&self) -> Vec<ModelUsage> {
        self.lock().values().cloned().collect()
    }

    fn change(&self, provider: &str, model: &str, change: impl FnOnce(&mut ModelUsage)) {
        let mut totals = self.lock();
        let mut pair = (provider.to_owned(), model.to_owned());
        if totals.len() >= PAIRS_MAX && !totals.contains_key(&pair) {
            REST.clone_into(&mut pair.1);
        }
        let total = totals
            .entry(pair)
            .or_insert_with_key(|(provider, model)| ModelUsage {
                provider: provider.clone(),
                model: model.clone(),
                ..ModelUsage::default()
            });
        change(total);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), ModelUsage>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_kept_by_provider_and_model() {
        let ledger = Ledger::default();
        let usage = TokenUsage {
            prompt: 3,
            completion: 5,
        };
        for _ in 0..2 {
            ledger.asked("a", "m");
            ledger.cost("a", "m", usage);
        }
        ledger.asked("b", "m");
        ledger.failed("b", "m");
        let totals = ledger.totals();
        assert_eq!(totals.len(), 2);
        assert_eq!((totals[0].requests, totals[0].tokens_completion), (2, 10));
        assert_eq!((totals[1].requests, totals[1].failures), (1, 1));
    }

    #[test]
    fn names_without_end_do_not_fill_memory() {
        let ledger = Ledger::default();
        for n in 0..2000 {
            ledger.asked("a", &format!("m{n}"));
        }
        let totals = ledger.totals();
        assert_eq!(totals.len(), PAIRS_MAX + 1);
        assert_eq!(totals.iter().map(|t| t.requests).sum::<u64>(), 2000);
    }
}
