//! The follower that makes the vectors that are missing.
//!
//! It looks at what the text index holds, embeds what has no vector in small batches, the latest
//! written first, and looks again when there is a new commit. It gives way: to a first index, to
//! whoever is asking something, to a machine that is busy. A batch that fails is tried again in
//! smaller ones, later and later; a text that fails while others do not is left out.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crucible_services::events::EventPublisher;
use crucible_services::inference::{Error, Urgency};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::query::{check_model, embed_some};
use super::shelf::{ModelKey, Shelf};
use super::status::{Counts, Model};
use super::{Vectors, lock, tell};
use crate::config::StoreConfig;
use crate::keyed::KeyMap;
use crate::store::Store;
use crate::text::{Survey, is_full};

/// Blocks that are embedded together.
const BATCH_MAX: usize = 32;
/// How long nobody must have asked anything before a batch is begun, and how long that is waited for.
const QUIET: Duration = Duration::from_millis(200);
const QUIET_WAIT_MAX: Duration = Duration::from_secs(2);
/// While more notes than this wait for the text index, no vectors are made.
const TEXT_PENDING_MAX: u64 = 50;
/// How long one batch may take.
const BATCH_DEADLINE: Duration = Duration::from_secs(120);
/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// The load for each core from which on the machine counts as busy.
const LOAD_MAX: f32 = 2.0;
/// How often the load is looked at while it is high, and how long at most it is waited for.
const LOAD_WAIT: Duration = Duration::from_secs(5);
const LOAD_WAITS_MAX: u32 = 12;
/// How often a text may fail while others are embedded.
const STRIKES_MAX: u32 = 3;
/// How often the engine is asked for its model while everything has a vector.
const MODEL_POLL: Duration = Duration::from_secs(60);

/// Makes vectors until `token` is cancelled.
pub(crate) async fn follow(
    store: Store,
    vectors: Arc<Vectors>,
    events: Arc<dyn EventPublisher>,
    token: CancellationToken,
) {
    let alone = tokio::select! {
        alone = vectors.following.lock() => alone,
        () = token.cancelled() => return,
    };
    let mut follower = Follower {
        commits: store.inner.shared.text_commits.subscribe(),
        store,
        vectors: Arc::clone(&vectors),
        events,
        pace: Pace::default(),
        batch: BATCH_MAX,
        retry_wait: None,
        strikes: KeyMap::default(),
        verified: None,
    };
    // Whatever it waits for, it can be dropped: a batch is added in one piece on a thread of its own.
    tokio::select! {
        () = token.cancelled() => {}
        () = follower.run() => {}
    }
    drop(alone);
}

struct Follower {
    store: Store,
    vectors: Arc<Vectors>,
    /// Who is told of vectors.
    events: Arc<dyn EventPublisher>,
    /// Counts the commits of the text index.
    commits: watch::Receiver<u64>,
    pace: Pace,
    /// Blocks of the next batch; fewer after a failure.
    batch: usize,
    /// How long to wait after the next failure.
    retry_wait: Option<Duration>,
    /// How often each text failed since others were embedded.
    strikes: KeyMap<u32>,
    /// The model whose vectors were compared with what they should be.
    verified: Option<ModelKey>,
}

/// Why a round of work ended.
enum Ended {
    /// Everything that can have a vector has one.
    Complete,
    /// The model has to be asked for again, after a while.
    Model(Duration),
    /// There is a new commit.
    Commit,
    /// Something failed.
    Failed,
}

impl Follower {
    async fn run(&mut self) {
        loop {
            let wait = match self.vectors.refresh().await {
                Model::Closed => return,
                Model::Ready(model) => match self.round(&model).await {
                    Ended::Complete => MODEL_POLL,
                    Ended::Model(wait) => wait,
                    Ended::Commit => Duration::ZERO,
                    Ended::Failed => self.back_off(),
                },
                _ => self.config().embedding_poll,
            };
            let is_ready = matches!(self.vectors.status().model, Model::Ready(_));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = self.commits.changed(), if is_ready && self.retry_wait.is_none() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn config(&self) -> &StoreConfig {
        &self.store.inner.shared.config
    }

    fn back_off(&mut self) -> Duration {
        let wait = self.retry_wait.unwrap_or(self.config().embedding_retry);
        self.retry_wait = Some((wait * 2).min(RETRY_MAX));
        wait
    }

    /// Embeds what lacks a vector, as of the last commit.
    async fn round(&mut self, model: &ModelKey) -> Ended {
        self.wait_for_text().await;
        self.commits.mark_unchanged();
        let survey = match self.survey(model).await {
            Ok(survey) => Arc::new(survey),
            Err(reason) => {
                self.fail(reason);
                return Ended::Failed;
            }
        };
        let mut waiting: VecDeque<usize> = (0..survey.passages_lacking()).collect();
        while !waiting.is_empty() {
            self.wait_for_quiet().await;
            match self.batch(model, &survey, &mut waiting).await {
                ControlFlow::Continue(rest) => tokio::time::sleep(rest).await,
                ControlFlow::Break(ended) => return ended,
            }
            if self.commits.has_changed().unwrap_or(false) {
                return Ended::Commit;
            }
        }
        self.finish(model, survey).await;
        Ended::Complete
    }

    /// Counts what there is, and finds out what lacks a vector.
    async fn survey(&mut self, model: &ModelKey) -> Result<Survey, String> {
        let (store, vectors, model) =
            (self.store.clone(), Arc::clone(&self.vectors), model.clone());
        let given_up = self.given_up();
        let is_new = self.verified.as_ref() != Some(&model);
        self.verified = Some(model.clone());
        spawn_blocking(move || {
            if is_new {
                vectors.with_shelf(Shelf::verify);
            }
            vectors.with_shelf_mut(&model, |shelf| shelf.forget_faulty());
            let index = store.text();
            let survey = vectors.with_shelf(|shelf| {
                index.survey(|key| shelf.contains(key) || given_up.contains_key(&key))
            });
            match survey {
                Some(Ok(survey)) => {
                    vectors.count(&survey);
                    Ok(survey)
                }
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the vectors are closed".to_owned()),
            }
        })
        .await
        .unwrap_or_else(|error| Err(format!("looking at the text index broke off: {error}")))
    }

    fn given_up(&self) -> KeyMap<u32> {
        let strikes = self.strikes.iter();
        let given_up = strikes.filter(|(_, strikes)| **strikes >= STRIKES_MAX);
        given_up.map(|(key, strikes)| (*key, *strikes)).collect()
    }

    /// Embeds one batch; returns how long to rest, or why the round ends.
    async fn batch(
        &mut self,
        model: &ModelKey,
        survey: &Arc<Survey>,
        waiting: &mut VecDeque<usize>,
    ) -> ControlFlow<Ended, Duration> {
        let count = self.batch.min(waiting.len());
        let places: Vec<usize> = waiting.drain(..count).collect();
        let passages = {
            let (survey, places) = (Arc::clone(survey), places.clone());
            spawn_blocking(move || survey.passages(&places)).await
        };
        let passages = match passages {
            Ok(Ok(passages)) => passages,
            Ok(Err(error)) => return self.end(error.to_string()),
            Err(error) => return self.end(format!("reading the text index broke off: {error}")),
        };
        let (keys, (paths, texts)): (Vec<u64>, (Vec<String>, Vec<String>)) = passages
            .into_iter()
            .map(|passage| (passage.key, (passage.path, passage.text)))
            .unzip();
        let bytes = texts.iter().map(String::len).sum();
        let began = Instant::now();
        match self.embed(model, texts).await {
            Ok(embedded) => {
                let rest = self.pace.after(bytes, began.elapsed());
                let vectors = keys.into_iter().zip(embedded).collect();
                if let Err(reason) = self.keep(model, vectors, survey.blocks_of(&places)).await {
                    return self.end(reason);
                }
                self.batch = (self.batch * 2).min(BATCH_MAX);
                self.retry_wait = None;
                self.vectors.set(|status| status.failure = None);
                tell::made(&self.store, self.events.as_ref(), model, paths).await;
                ControlFlow::Continue(rest)
            }
            Err(error) => self.after_error(&error, &keys, &places, waiting),
        }
    }

    async fn embed(&self, model: &ModelKey, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let engine = self.vectors.engine.as_ref();
        let asked = embed_some(engine, &model.name, texts, Urgency::Background);
        let deadline = BATCH_DEADLINE;
        let answer = tokio::time::timeout(deadline, asked)
            .await
            .unwrap_or(Err(Error::TimedOut { deadline }))?;
        check_model(&answer, model)?;
        Ok(answer.vectors)
    }

    /// Adds vectors to the shelf.
    async fn keep(
        &self,
        model: &ModelKey,
        embedded: Vec<(u64, Vec<f32>)>,
        blocks: u64,
    ) -> Result<(), String> {
        let (vectors, model) = (Arc::clone(&self.vectors), model.clone());
        let kept = spawn_blocking(move || {
            let kept = vectors.with_shelf_mut(&model, |shelf| shelf.append(&embedded));
            if let Some(Ok(())) = kept {
                vectors.set(|status| {
                    if let Some(counts) = &mut status.counts {
                        counts.done = (counts.done + blocks).min(counts.blocks);
                    }
                });
            }
            kept
        });
        match kept.await {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(None) => Err("the model has changed".to_owned()),
            Ok(Some(Err(error))) if is_full(&error) => Err(format!(
                "the disk of {} is full; free some space, then it goes on by itself",
                self.vectors.dir.display()
            )),
            Ok(Some(Err(error))) => Err(format!(
                "vectors cannot be written to {} ({error}); check its permissions",
                self.vectors.dir.display()
            )),
            Err(error) => Err(format!("writing vectors broke off: {error}")),
        }
    }

    fn fail(&self, reason: String) {
        tracing::warn!(
            error = reason,
            "vectors are not being made; it is tried again"
        );
        self.vectors.set(|status| status.failure = Some(reason));
    }

    fn end(&self, reason: String) -> ControlFlow<Ended, Duration> {
        self.fail(reason);
        ControlFlow::Break(Ended::Failed)
    }

    /// Decides how to go on after the engine failed on a batch.
    fn after_error(
        &mut self,
        error: &Error,
        keys: &[u64],
        places: &[usize],
        waiting: &mut VecDeque<usize>,
    ) -> ControlFlow<Ended, Duration> {
        match error {
            Error::ModelMissing { .. } => {
                let poll = self.config().embedding_poll;
                return ControlFlow::Break(Ended::Model(poll));
            }
            Error::ModelBroken { .. } => return self.end(error.to_string()),
            Error::Busy { retry_after, .. } => {
                waiting.extend(places);
                let wait = retry_after.unwrap_or(self.config().embedding_retry);
                return ControlFlow::Continue(wait.min(RETRY_MAX));
            }
            _ => {}
        }
        // One text may be the cause: smaller batches find out which.
        self.batch = (places.len() / 2).max(1);
        if let [key] = keys {
            let strikes = self.strikes.entry(*key).or_default();
            *strikes += 1;
            if *strikes >= STRIKES_MAX && self.retry_wait.is_none() {
                tracing::warn!(%error, "a text cannot be embedded and is left out");
                self.vectors.set(|status| status.given_up += 1);
                return ControlFlow::Continue(Duration::ZERO);
            }
            // Only while others are embedded does it speak against the text.
            *strikes = (*strikes).min(STRIKES_MAX - 1);
        }
        waiting.extend(places);
        self.fail(error.to_string());
        let is_one_of_many = waiting.len() > places.len() && self.retry_wait.is_none();
        let wait = self.back_off();
        if is_one_of_many {
            ControlFlow::Continue(wait)
        } else {
            self.retry_wait = Some(wait); // the end of the round makes it longer
            ControlFlow::Break(Ended::Failed)
        }
    }

    /// Waits while the text index is far behind: a first index needs the machine.
    async fn wait_for_text(&mut self) {
        while self.store.inner.shared.text().pending > TEXT_PENDING_MAX {
            let _closed =
                tokio::time::timeout(Duration::from_secs(1), self.commits.changed()).await;
        }
    }

    /// Waits until nobody has asked anything for a moment, and the machine is not busy.
    async fn wait_for_quiet(&self) {
        let began = Instant::now();
        loop {
            let asked = *lock(&self.vectors.asked);
            let quiet_at = asked.map_or(began, |asked| asked + QUIET);
            if quiet_at <= Instant::now() || began.elapsed() >= QUIET_WAIT_MAX {
                break;
            }
            tokio::time::sleep_until(quiet_at).await;
        }
        for _ in 0..LOAD_WAITS_MAX {
            let load = (self.config().load_per_core)();
            if load.is_none_or(|load| load <= LOAD_MAX) {
                break;
            }
            tokio::time::sleep(LOAD_WAIT).await;
        }
    }

    /// Brings everything to the disk, and tidies up.
    async fn finish(&self, model: &ModelKey, survey: Arc<Survey>) {
        let (vectors, model) = (Arc::clone(&self.vectors), model.clone());
        let is_at_rest = self.store.inner.shared.text().pending == 0 && survey.blocks > 0;
        let tidied = spawn_blocking(move || {
            vectors.with_shelf_mut(&model, |shelf| {
                shelf.sync()?;
                if !is_at_rest {
                    return Ok(());
                }
                if shelf.is_worth_compacting(&survey.keys) {
                    shelf.compact(&survey.keys)?;
                }
                shelf.delete_others()
            })
        });
        if let Ok(Some(Err(error))) = tidied.await {
            tracing::warn!(%error, "the files of the vectors could not be tidied up");
        }
    }
}

impl Vectors {
    fn count(&self, survey: &Survey) {
        let counts = Counts {
            blocks: survey.blocks,
            done: survey.blocks - survey.blocks_lacking().min(survey.blocks),
        };
        self.set(|status| status.counts = Some(counts));
    }
}
