//! The models that are in memory, and when they leave it.

use std::sync::Arc;
use std::time::Duration;

use crucible_services::events::InferenceEventType;
use crucible_services::inference::Error;
use tokio::time::Instant;

use super::figures::Figures;
use super::tell::Teller;
use crate::local::Encoder;
use crate::models::InstalledModel;

/// Models in memory, the least recently used first. Owned by the worker.
#[derive(Debug)]
pub(super) struct Shelf {
    models: Vec<Shelved>,
    figures: Arc<Figures>,
    teller: Teller,
}

#[derive(Debug)]
struct Shelved {
    name: String,
    revision: Arc<str>,
    encoder: Arc<Encoder>,
    used: Instant,
}

impl Shelf {
    pub(super) fn new(figures: Arc<Figures>, teller: Teller) -> Self {
        Self {
            models: Vec::new(),
            figures,
            teller,
        }
    }

    /// Returns a model, loading it if need be; others leave until all fit `bytes_max`.
    pub(super) fn take(
        &mut self,
        model: &InstalledModel,
        bytes_max: usize,
    ) -> Result<(Arc<Encoder>, Arc<str>), Error> {
        let found = self
            .models
            .iter()
            .position(|shelved| shelved.name == model.name);
        if let Some(index) = found {
            let mut shelved = self.models.remove(index);
            if *shelved.revision == *model.revision {
                shelved.used = Instant::now();
                let taken = (Arc::clone(&shelved.encoder), Arc::clone(&shelved.revision));
                self.models.push(shelved);
                return Ok(taken);
            }
            self.tell_unloaded(shelved, "its files have changed");
        }
        self.load(model, bytes_max)
    }

    /// Returns a model that is in memory, without counting that as use.
    pub(super) fn any(&self) -> Option<Arc<Encoder>> {
        self.models
            .last()
            .map(|shelved| Arc::clone(&shelved.encoder))
    }

    /// Returns when the first model will have been unused for `idle`.
    pub(super) fn next_expiry(&self, idle: Duration) -> Option<Instant> {
        self.models.first()?.used.checked_add(idle)
    }

    /// Unloads what was unused for `idle`.
    pub(super) fn unload_idle(&mut self, idle: Duration) {
        let now = Instant::now();
        while self
            .models
            .first()
            .is_some_and(|shelved| now.duration_since(shelved.used) >= idle)
        {
            self.unload_first("unused for a while");
        }
    }

    /// Unloads all.
    pub(super) fn clear(&mut self, reason: &str) {
        while !self.models.is_empty() {
            self.unload_first(reason);
        }
    }

    fn load(
        &mut self,
        model: &InstalledModel,
        bytes_max: usize,
    ) -> Result<(Arc<Encoder>, Arc<str>), Error> {
        let broken = |reason: String| Error::ModelBroken {
            model: model.name.clone(),
            reason,
        };
        let needed = usize::try_from(model.bytes).unwrap_or(usize::MAX);
        if needed > bytes_max {
            return Err(broken(format!(
                "it takes {} MiB, and inference.memory_max_mb is {}; raise it",
                needed >> 20,
                bytes_max >> 20
            )));
        }
        while self.bytes() > bytes_max - needed {
            self.unload_first("another model needs its memory");
        }
        let started = Instant::now();
        let encoder = Encoder::load(&model.path).map_err(|reason| {
            broken(format!(
                "it {reason}; `crucible models remove {0}` and `crucible models pull {0}` bring \
                 it anew",
                model.name
            ))
        })?;
        let encoder = Arc::new(encoder);
        let revision: Arc<str> = model.revision.as_str().into();
        self.figures.loaded(&model.name);
        self.teller.tell(InferenceEventType::ModelLoaded {
            model: model.name.clone(),
            duration_ms: super::millis(started.elapsed()),
        });
        self.models.push(Shelved {
            name: model.name.clone(),
            revision: Arc::clone(&revision),
            encoder: Arc::clone(&encoder),
            used: Instant::now(),
        });
        Ok((encoder, revision))
    }

    fn bytes(&self) -> usize {
        self.models
            .iter()
            .map(|shelved| shelved.encoder.bytes())
            .sum()
    }

    fn unload_first(&mut self, reason: &str) {
        let shelved = self.models.remove(0);
        self.tell_unloaded(shelved, reason);
    }

    fn tell_unloaded(&self, shelved: Shelved, reason: &str) {
        drop(shelved.encoder);
        self.figures.unloaded(&shelved.name);
        self.teller.tell(InferenceEventType::ModelUnloaded {
            model: shelved.name,
            reason: reason.to_owned(),
        });
    }
}
