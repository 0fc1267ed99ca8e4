//! The background task of the service: compare once, then follow hints, for ever.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crucible_services::note_index::NoteIndex;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::VaultConfig;
use crate::engine::Engine;
use crate::folder::{FolderIdentity, VaultFolder};
use crate::hints::HintBook;
use crate::progress::{Phase, Progress};
use crate::reconcile::{ReconcileError, ReconcileReport};
use crate::watching::Watching;

/// How often everything is compared while watching does not work.
const UNWATCHED_INTERVAL: Duration = Duration::from_secs(5);
/// How often the root is looked at: an unmounted disk sends no hint.
const ROOT_INTERVAL: Duration = Duration::from_secs(5);
/// How long to wait before looking for a folder that is gone.
const GONE_DELAY: Duration = Duration::from_secs(1);
/// The first and the longest wait after another failure; it doubles in between.
const FAILURE_DELAYS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// The least time between two collections of hints, so that a burst is taken in large pieces.
const COLLECT_INTERVAL: Duration = Duration::from_millis(10);

/// What the task tells the service; the lock is held for moments only.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Why nothing can be done now.
    pub(crate) failure: Option<Failure>,
    /// Why changes are noticed late.
    pub(crate) watch_fault: Option<String>,
    /// The latest whole comparison.
    pub(crate) report: Option<ReconcileReport>,
    /// How many files the index knows.
    pub(crate) files: usize,
}

/// Why nothing can be done now.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The cause and the cure.
    pub(crate) message: String,
    /// Whether the folder is what fails.
    pub(crate) is_folder: bool,
}

/// What the service and its task share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) status: Mutex<Status>,
}

impl Shared {
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What outlives a failure.
#[derive(Debug, Default)]
struct Memory {
    /// The folder that was last compared without a fault.
    trusted: Option<FolderIdentity>,
    /// Whether the first build of the index has begun and not been finished.
    is_first_index: bool,
    /// Failures since all went well.
    failures: u32,
}

/// Follows the folder until its token is cancelled.
pub(crate) struct Follower {
    pub(crate) config: VaultConfig,
    pub(crate) folder: VaultFolder,
    pub(crate) index: Arc<dyn NoteIndex>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) token: CancellationToken,
}

impl Follower {
    pub(crate) async fn run(self) {
        let mut memory = Memory::default();
        loop {
            let error = self.follow(&mut memory).await;
            if self.token.is_cancelled() {
                break;
            }
            let delay = self.fail(&error, memory.failures);
            memory.failures = memory.failures.saturating_add(1);
            tokio::select! {
                () = self.token.cancelled() => break,
                () = tokio::time::sleep(delay) => {}
            }
        }
        self.shared.progress.send_replace(Progress::default());
    }

    /// Tells of a failure and returns how long to wait before the next try.
    fn fail(&self, error: &ReconcileError, failures: u32) -> Duration {
        let is_folder = matches!(
            error,
            ReconcileError::FolderGone { .. } | ReconcileError::FolderEmpty { .. }
        );
        let mut message = error.to_string();
        if let Some(cause) = std::error::Error::source(error) {
            message = format!("{message} ({cause})");
        }
        if failures == 0 {
            tracing::warn!(
                error = message,
                "the vault cannot be followed; trying again"
            );
        }
        self.shared
            .progress
            .send_modify(|progress| progress.failure = Some(message.clone()));
        self.shared
            .update(|status| status.failure = Some(Failure { message, is_folder }));
        let (first, longest) = FAILURE_DELAYS;
        if is_folder {
            GONE_DELAY
        } else {
            (first * 2_u32.pow(failures.min(10))).min(longest)
        }
    }

    /// Begins to watch, compares everything, then follows hints; returns why that ended.
    async fn follow(&self, memory: &mut Memory) -> ReconcileError {
        match self.begin_round(memory).await {
            Ok(mut round) => match round.run().await {
                Ok(never) => match never {},
                Err(error) => error,
            },
            Err(error) => error,
        }
    }

    async fn begin_round(&self, memory: &mut Memory) -> Result<Round<'_>, ReconcileError> {
        let mut engine =
            Engine::begin(self.folder.clone(), self.index.as_ref(), self.token.clone()).await?;
        // Watch first, then walk: what changes in between is hinted at.
        let book = Arc::new(HintBook::new(self.config.quiet_period));
        let watching = self.begin_watching(&book).await?;
        engine.set_hook(watching.as_ref().and_then(Watching::hook));
        if memory.trusted == Some(engine.identity()) {
            engine.trust();
        }
        memory.is_first_index |= engine.files() == 0;
        if memory.is_first_index {
            engine.build_first();
        }
        let first = engine.reconcile(Some(&self.shared.progress)).await?;
        *memory = Memory {
            trusted: Some(engine.identity()),
            ..Memory::default()
        };
        let phase = Phase::Watching { first };
        self.shared.progress.send_replace(Progress {
            phase,
            failure: None,
        });
        let mut round = Round {
            follower: self,
            book,
            watching,
            engine,
        };
        round.finish_reconcile(first);
        Ok(round)
    }

    async fn begin_watching(
        &self,
        book: &Arc<HintBook>,
    ) -> Result<Option<Arc<Watching>>, ReconcileError> {
        if !self.config.watch {
            return Ok(None);
        }
        let root = self.folder.root().to_path_buf();
        let book = Arc::clone(book);
        let folders_max = self.config.watch_folders_max;
        let begun = tokio::task::spawn_blocking(move || Watching::begin(&root, book, folders_max));
        match begun
            .await
            .map_err(|error| ReconcileError::Broken(error.to_string()))?
        {
            Ok(watching) => Ok(Some(watching)),
            Err(fault) => {
                self.tell_watch_fault(Some(fault));
                Ok(None)
            }
        }
    }

    fn tell_watch_fault(&self, fault: Option<String>) {
        self.shared.update(|status| {
            if let Some(fault) = &fault
                && status.watch_fault.is_none()
            {
                tracing::warn!(cause = fault, "changes are looked for every 5 s only");
            }
            status.watch_fault = fault;
        });
    }
}

/// One time of following, from a comparison to the next failure.
struct Round<'a> {
    follower: &'a Follower,
    book: Arc<HintBook>,
    watching: Option<Arc<Watching>>,
    engine: Engine<'a>,
}

impl Round<'_> {
    /// Waits for hints and times; acts on what is due.
    async fn run(&mut self) -> Result<Infallible, ReconcileError> {
        let follower = self.follower;
        let mut reconcile_at = Instant::now() + self.reconcile_interval();
        let mut root_at = Instant::now() + ROOT_INTERVAL;
        let mut wake_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = follower.token.cancelled() => return Err(ReconcileError::Interrupted),
                () = tokio::time::sleep_until(wake_at) => {}
                () = self.book.hinted() => {}
            }
            let now = Instant::now();
            let due = self.book.take_due(now);
            if due.everything || now >= reconcile_at {
                self.reconcile().await?;
                reconcile_at = Instant::now() + self.reconcile_interval();
                root_at = Instant::now() + ROOT_INTERVAL;
            } else if !due.paths.is_empty()
                || self.engine.next_removal().is_some_and(|at| at <= now)
            {
                self.look(due.paths).await?;
            } else if now >= root_at {
                self.look(Vec::new()).await?; // looks at the root as well
                root_at = now + ROOT_INTERVAL;
            }
            let next = [
                due.next,
                self.engine.next_removal(),
                Some(reconcile_at),
                Some(root_at),
            ];
            let next = next.into_iter().flatten().min().unwrap_or(root_at);
            wake_at = next.max(now + COLLECT_INTERVAL);
        }
    }

    async fn look(&mut self, paths: Vec<PathBuf>) -> Result<(), ReconcileError> {
        self.engine.look(paths).await?;
        self.settle();
        Ok(())
    }

    async fn reconcile(&mut self) -> Result<(), ReconcileError> {
        if let Some(watching) = &self.watching {
            watching.begin_walk();
        } else if let Some(watching) = self.follower.begin_watching(&self.book).await? {
            self.engine.set_hook(watching.hook());
            self.watching = Some(watching);
        }
        let report = self.engine.reconcile(None).await?;
        self.finish_reconcile(report);
        Ok(())
    }

    fn finish_reconcile(&mut self, report: ReconcileReport) {
        tracing::debug!(?report, "the vault was compared");
        self.follower.shared.update(|status| {
            status.report = Some(report);
            status.failure = None;
        });
        self.settle();
    }

    /// Hints anew at what would not rest, and tells how things are.
    fn settle(&mut self) {
        for path in self.engine.take_again() {
            self.book.hint(PathBuf::from(path));
        }
        if let Some(watching) = &self.watching {
            if let Some(fault) = self.book.take_fault() {
                watching.set_fault(fault);
            }
            self.follower.tell_watch_fault(watching.fault());
        }
        let files = self.engine.files();
        self.follower.shared.update(|status| status.files = files);
    }

    fn reconcile_interval(&self) -> Duration {
        let interval = self.follower.config.reconcile_interval;
        let mut is_blind = false;
        self.follower
            .shared
            .update(|status| is_blind = status.watch_fault.is_some());
        if is_blind {
            interval.min(UNWATCHED_INTERVAL)
        } else {
            interval
        }
    }
}
