//! Brings the index up to what the disk says: look, compare, read, hand over.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use crucible_services::note_index::{ChangeBatch, ChangeOrigin, FileChange, NoteIndex};
use ignore::IncrementalIgnore;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::carry::{Effects, Prepared, Step, batches, prepare};
use crate::folder::{FolderIdentity, VaultFolder};
use crate::known::Known;
use crate::plan::Plan;
use crate::progress::{Phase, Progress};
use crate::reconcile::{ReconcileError, ReconcileReport};
use crate::survey::Survey;
use crate::turn::Moment;
use crate::walk::FolderHook;

/// How many batches are read ahead of the one that the index is taking over.
const READ_AHEAD: usize = 3;
/// How often a comparison looks again at files that would not rest.
const SECOND_LOOKS_MAX: usize = 3;

/// Holds what the index knows, and keeps it true.
pub(crate) struct Engine<'a> {
    index: &'a dyn NoteIndex,
    survey: Survey,
    matcher: Option<IncrementalIgnore>,
    origin: ChangeOrigin,
    /// Missing files and when they count as deleted.
    held: HashMap<String, Instant>,
    /// Files that changed while they were read.
    again: Vec<String>,
}

impl<'a> Engine<'a> {
    /// Asks the index what it knows.
    pub(crate) async fn begin(
        folder: VaultFolder,
        index: &'a dyn NoteIndex,
        token: CancellationToken,
    ) -> Result<Self, ReconcileError> {
        let at = folder.clone();
        let identity = blocking(move || at.identity()).await?.map_err(|source| {
            ReconcileError::FolderGone {
                root: folder.root().to_path_buf(),
                source,
            }
        })?;
        let known = Known::from(index.known_files().await?);
        let origin = if known.is_empty() {
            ChangeOrigin::FirstIndex
        } else {
            ChangeOrigin::Change
        };
        let survey = Survey {
            folder,
            known: Arc::new(known),
            hook: None,
            token,
            identity,
            trusted: false,
        };
        Ok(Self {
            index,
            survey,
            matcher: None,
            origin,
            held: HashMap::new(),
            again: Vec::new(),
        })
    }

    /// Calls `hook` with each folder before it is listed.
    pub(crate) fn set_hook(&mut self, hook: Option<FolderHook>) {
        self.survey.hook = hook;
    }

    /// Believes the folder even if it is empty.
    pub(crate) fn trust(&mut self) {
        self.survey.trusted = true;
    }

    /// Makes the next comparison part of the first build of the index.
    pub(crate) fn build_first(&mut self) {
        self.origin = ChangeOrigin::FirstIndex;
    }

    /// Returns which folder this engine looks at.
    pub(crate) fn identity(&self) -> FolderIdentity {
        self.survey.identity
    }

    /// Returns how many files the index knows.
    pub(crate) fn files(&self) -> usize {
        self.survey.known.len()
    }

    /// Returns when the next missing file counts as deleted.
    pub(crate) fn next_removal(&self) -> Option<Instant> {
        self.held.values().min().copied()
    }

    /// Takes the paths that were being written while they were read.
    pub(crate) fn take_again(&mut self) -> Vec<String> {
        std::mem::take(&mut self.again)
    }

    /// Compares the whole folder.
    pub(crate) async fn reconcile(
        &mut self,
        progress: Option<&watch::Sender<Progress>>,
    ) -> Result<ReconcileReport, ReconcileError> {
        let mut report = ReconcileReport::default();
        let began = Instant::now();
        tell(progress, Phase::Walking);
        let survey = self.survey.clone();
        let since = survey.folder.turn().now();
        let mut plan = blocking(move || survey.all()).await??;
        self.matcher = None;
        report.walk = began.elapsed();
        report.files = plan.seen.files;
        report.notes = plan.seen.notes;
        report.skipped = plan.seen.faults;
        report.unchanged = plan.seen.unchanged;

        let applying = Instant::now();
        self.hold(std::mem::take(&mut plan.gone));
        self.carry_out(plan, Vec::new(), since, &mut report, progress)
            .await?;
        for _ in 0..SECOND_LOOKS_MAX {
            if self.held.is_empty() && self.again.is_empty() {
                break;
            }
            self.rest().await?;
            let again = self.take_again().into_iter().map(PathBuf::from).collect();
            self.look_into(again, &mut report).await?;
        }
        self.origin = ChangeOrigin::Change;
        self.survey.trusted = true;
        report.apply = applying.elapsed();
        Ok(report)
    }

    /// Looks at `paths`, relative to the root, and at all that are missing.
    pub(crate) async fn look(
        &mut self,
        paths: Vec<PathBuf>,
    ) -> Result<ReconcileReport, ReconcileError> {
        let mut report = ReconcileReport::default();
        self.look_into(paths, &mut report).await?;
        Ok(report)
    }

    async fn look_into(
        &mut self,
        mut paths: Vec<PathBuf>,
        report: &mut ReconcileReport,
    ) -> Result<(), ReconcileError> {
        paths.extend(self.held.keys().map(PathBuf::from));
        let survey = self.survey.clone();
        let since = survey.folder.turn().now();
        let matcher = self.matcher.take();
        let (mut plan, matcher) = blocking(move || survey.paths(matcher, &paths)).await??;
        self.matcher = matcher;
        let removals = self.hold(std::mem::take(&mut plan.gone));
        self.carry_out(plan, removals, since, report, None).await
    }

    /// Starts or keeps the grace of the files that are gone, and returns those whose grace is
    /// over; forgets those that came back.
    fn hold(&mut self, gone: Vec<String>) -> Vec<String> {
        let now = Instant::now();
        let grace = self.survey.folder.removal_grace();
        let mut held = HashMap::with_capacity(gone.len());
        let mut due = Vec::new();
        for path in gone {
            match self.held.get(&path) {
                Some(at) if *at <= now => due.push(path),
                Some(at) => {
                    held.insert(path, *at);
                }
                None => {
                    held.insert(path, now + grace);
                }
            }
        }
        self.held = held;
        due.sort_unstable();
        due
    }

    async fn rest(&self) -> Result<(), ReconcileError> {
        tokio::select! {
            () = self.survey.token.cancelled() => Err(ReconcileError::Interrupted),
            () = tokio::time::sleep(self.survey.folder.removal_grace()) => Ok(()),
        }
    }

    /// Hands a plan over, batch by batch; the next batches are read while the index takes one.
    async fn carry_out(
        &mut self,
        plan: Plan,
        removals: Vec<String>,
        since: Moment,
        report: &mut ReconcileReport,
        progress: Option<&watch::Sender<Progress>>,
    ) -> Result<(), ReconcileError> {
        let mut waiting = batches(plan, removals);
        let total = waiting.iter().map(|batch| batch.len() as u64).sum();
        let mut done = 0;
        if total > 0 {
            tell(progress, Phase::Indexing { done, total });
        }
        let mut reading = VecDeque::with_capacity(READ_AHEAD);
        loop {
            while reading.len() < READ_AHEAD
                && let Some(batch) = waiting.pop_front()
            {
                reading.push_back(self.read(batch));
            }
            let Some(next) = reading.pop_front() else {
                return Ok(());
            };
            let prepared = next.await.map_err(broken)?;
            if self.survey.token.is_cancelled() {
                return Err(ReconcileError::Interrupted);
            }
            done += prepared.steps;
            report.skipped += prepared.faults;
            self.apply(prepared, since, report).await?;
            tell(progress, Phase::Indexing { done, total });
        }
    }

    fn read(&self, batch: Vec<Step>) -> JoinHandle<Prepared> {
        let folder = self.survey.folder.clone();
        spawn_blocking(move || prepare(&folder, batch))
    }

    async fn apply(
        &mut self,
        mut prepared: Prepared,
        since: Moment,
        report: &mut ReconcileReport,
    ) -> Result<(), ReconcileError> {
        let folder = self.survey.folder.clone();
        let _turn = tokio::select! {
            () = self.survey.token.cancelled() => return Err(ReconcileError::Interrupted),
            turn = folder.turn().take() => turn,
        };
        prepared.changes.retain(|change| {
            let stale = paths_of(change).any(|path| folder.turn().is_written_since(path, since));
            if stale {
                prepared.again.extend(paths_of(change).map(str::to_owned));
            }
            !stale
        });
        self.again.extend(prepared.again);
        if prepared.changes.is_empty() {
            return Ok(());
        }
        let effects = Effects::of(&prepared.changes);
        let batch = ChangeBatch {
            cause: None,
            changes: prepared.changes,
            origin: self.origin,
        };
        self.index.apply(batch).await?;
        report.upserted += effects.upserted;
        report.moved += effects.moved;
        report.removed += effects.removed;
        // The only other holder is a survey whose thread outlived a cancelled wait.
        effects.take_over(Arc::make_mut(&mut self.survey.known));
        Ok(())
    }
}

/// Returns the paths that a change speaks of.
fn paths_of(change: &FileChange) -> impl Iterator<Item = &str> {
    let (first, second) = match change {
        FileChange::Upsert { path, .. } | FileChange::Remove { path } => (path, None),
        FileChange::Move { from, to, .. } => (from, Some(to)),
        FileChange::Skip { problem, .. } => (&problem.path, None),
    };
    std::iter::once(first).chain(second).map(String::as_str)
}

fn tell(progress: Option<&watch::Sender<Progress>>, phase: Phase) {
    if let Some(progress) = progress {
        progress.send_modify(|progress| progress.phase = phase);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ReconcileError> {
    spawn_blocking(work).await.map_err(broken)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn broken(error: tokio::task::JoinError) -> ReconcileError {
    ReconcileError::Broken(error.to_string())
}
