//! The thread that computes: one job after another, a slice at a time.
//!
//! Between two slices it looks whether something more urgent came; between two layers of a model,
//! whether it is to stop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use crucible_services::inference::{Error, Urgency};
use crucible_services::tasks::panic_message;

use super::figures::Figures;
use super::job::{EmbedJob, Job};
use super::queue::{Next, Queue};
use super::settings::Settings;
use super::shelf::Shelf;
use super::tell::Teller;
use crate::local::{Cache, Encoder, Key};

/// Bytes of text in a slice of a job in the background: some 2,000 tokens, a fraction of a second.
const BACKGROUND_BYTES: usize = 8 << 10;
/// Bytes of text in a slice of a job that somebody waits for.
const INTERACTIVE_BYTES: usize = 32 << 10;
/// The most texts in a slice.
const SLICE_TEXTS: usize = 256;
/// What is embedded to see whether that works.
const CHECK_TEXT: &str = "crucible";

/// What the thread owns and shares.
#[derive(Debug)]
pub(super) struct Worker {
    queue: Arc<Queue>,
    settings: Arc<ArcSwap<Settings>>,
    figures: Arc<Figures>,
    stop: Arc<AtomicBool>,
    shelf: Shelf,
    cache: Cache,
}

impl Worker {
    pub(super) fn new(
        queue: Arc<Queue>,
        settings: Arc<ArcSwap<Settings>>,
        figures: Arc<Figures>,
        stop: Arc<AtomicBool>,
        teller: Teller,
    ) -> Self {
        let cache = Cache::new(settings.load().cache_max());
        Self {
            shelf: Shelf::new(Arc::clone(&figures), teller),
            queue,
            settings,
            figures,
            stop,
            cache,
        }
    }

    /// Works until the queue is closed and nobody waits, or until told to stop.
    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let idle = self.settings.load().config.idle_unload;
            match self.queue.next(self.shelf.next_expiry(idle)) {
                Next::Work(job) if job.is_abandoned() => {}
                Next::Work(job) => self.work(job),
                Next::Idle => self.shelf.unload_idle(idle),
                Next::Closed => break,
            }
        }
        self.queue.clear();
        self.shelf.clear("the inference engine stops");
    }

    /// Works on a job; a panic ends the job, not the thread.
    fn work(&mut self, job: Job) {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| match job {
            Job::Embed(job) => self.embed(job),
            Job::Check(reply) => {
                let _left = reply.send(self.check());
            }
        }));
        if let Err(panic) = outcome {
            let error = panic_message(panic.as_ref());
            tracing::error!(error, "computing embeddings panicked");
            self.shelf.clear("computing with it panicked");
        }
    }

    fn embed(&mut self, mut job: EmbedJob) {
        let settings = self.settings.load_full();
        self.cache.resize(settings.cache_max());
        let taken = self.shelf.take(&job.model, settings.memory_max());
        let (encoder, revision) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                let _left = job.reply.send(Err(error));
                return;
            }
        };
        let threads = settings.config.threads();
        let slice = slice(job.rest(), job.urgency);
        match self.vectors(
            &encoder,
            &revision,
            &job.rest()[..slice],
            job.urgency,
            threads,
        ) {
            Some((vectors, tokens)) => {
                job.vectors.extend(vectors);
                job.tokens += tokens;
            }
            None => {
                let stopped = Error::Failed("the inference engine was stopped".to_owned());
                let _left = job.reply.send(Err(stopped));
                return;
            }
        }
        if job.rest().is_empty() {
            self.figures.answered();
            job.answer();
        } else {
            self.queue.give_back(Job::Embed(job));
        }
    }

    /// Returns one vector per text, from the cache where it has them, and the tokens read.
    fn vectors(
        &mut self,
        encoder: &Encoder,
        revision: &Arc<str>,
        texts: &[String],
        urgency: Urgency,
        threads: usize,
    ) -> Option<(Vec<Vec<f32>>, u64)> {
        let keys: Vec<Key> = texts
            .iter()
            .map(|text| Key::new(encoder.cut(text), revision))
            .collect();
        let known: Vec<_> = keys.iter().map(|key| self.cache.get(key)).collect();
        let missing: Vec<&str> = texts
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(text, _)| text.as_str())
            .collect();
        let encoded = encoder.embed(&missing, threads, &self.stop)?;
        self.figures
            .embedded(texts.len(), texts.len() - missing.len());
        self.figures.read(encoded.tokens);
        let mut computed = encoded.vectors.into_iter();
        let mut vectors = Vec::with_capacity(texts.len());
        for (key, known) in keys.into_iter().zip(known) {
            let vector = match known {
                Some(vector) => vector,
                None => {
                    let vector = computed.next()?;
                    // What the background embeds is kept by whoever asked, and would push out
                    // the questions that people ask again.
                    if urgency == Urgency::Interactive {
                        self.cache.put(key, vector.clone());
                    }
                    vector
                }
            };
            vectors.push(vector);
        }
        Some((vectors, encoded.tokens))
    }

    fn check(&self) -> Result<(), String> {
        let Some(encoder) = self.shelf.any() else {
            return Ok(());
        };
        let encoded = encoder.embed(&[CHECK_TEXT], 1, &self.stop);
        let is_unit = |vector: &Vec<f32>| {
            let square: f32 = vector.iter().map(|value| value * value).sum();
            vector.len() == encoder.dimensions() && (square - 1.0).abs() < 1e-3
        };
        match encoded {
            Some(encoded) if encoded.vectors.iter().all(is_unit) => Ok(()),
            Some(_) => Err("a model answers with what is no vector of unit length".to_owned()),
            None => Err("the inference engine is being stopped".to_owned()),
        }
    }
}

/// Returns how many of the texts to do now.
fn slice(texts: &[String], urgency: Urgency) -> usize {
    let most = match urgency {
        Urgency::Interactive => INTERACTIVE_BYTES,
        Urgency::Background => BACKGROUND_BYTES,
    };
    let mut bytes = 0;
    let fitting = texts.iter().take(SLICE_TEXTS).take_while(|text| {
        bytes += text.len();
        bytes <= most
    });
    fitting.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slice_has_at_least_one_text_and_ends_at_its_bytes() {
        let texts = vec!["x".repeat(3000); 20];
        assert_eq!(slice(&texts, Urgency::Background), 2);
        assert_eq!(slice(&texts, Urgency::Interactive), 10);
        assert_eq!(slice(&["x".repeat(100_000)], Urgency::Background), 1);
        assert_eq!(
            slice(&vec!["x".to_owned(); 1000], Urgency::Background),
            SLICE_TEXTS
        );
    }
}
