//! Feeds the text index: the follower of the outbox that makes notes findable.
//!
//! One thread owns the writing side of the text index. What it has committed is named by a
//! position of the outbox that travels inside the commit, so after a crash it is known what the
//! index lacks: the notes whose last change is later. Their text is taken from their files again
//! ([`NoteSource`]); the same way serves a note that has moved and an index that was lost. Adding
//! a note replaces it, so doing so twice is no fault.

mod feed;

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crucible_services::data_store::Error;
use crucible_services::note_index::NoteSource;
use crucible_services::tasks::panic_message;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::facts::batch::TextChange;
use crate::facts::{Mark, outbox};
use crate::open::text::{TextOpened, check, has_room, open_own, rebuild_text};
use crate::readers::Readers;
use crate::shared::Shared;
use crate::text::{self, TextIndex};
use crate::writer::Command;
use feed::Feed;

/// How many batches wait for the feeder; then the writer waits.
pub(crate) const BATCHES_MAX: usize = 2;
/// How many notes are read from their files before commands are looked at again.
const REFRESH_SLICE: usize = 16;
/// How long no batch of a first build may come before it counts as finished.
const FIRST_INDEX_REST: Duration = Duration::from_secs(3);
/// How long the feeder waits before it tries a failed index again: first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often in a row an index may fail as a damaged one does, although its last commit is sound.
const SUSPICIONS_MAX: u32 = 4;
/// How long the feeder sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// What the feeder is asked to do.
#[derive(Debug)]
pub(crate) enum FeedCommand {
    /// Take over changes; `seq` is the outbox position that they reach.
    Batch {
        changes: Vec<TextChange>,
        seq: i64,
        is_bulk: bool,
    },
    /// Commit, then answer.
    Settle {
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// Commit and end.
    Close,
}

/// The searching side of the text index, replaced when the index is opened anew.
pub(crate) type TextSlot = Mutex<Arc<TextIndex>>;

/// The feeder's state; runs on its own thread.
pub(crate) struct Feeder {
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: Arc<dyn NoteSource>,
    pub(crate) runtime: Handle,
    pub(crate) commands: Receiver<FeedCommand>,
    pub(crate) writer: mpsc::WeakSender<Command>,
    pub(crate) readers: Readers,
    pub(crate) slot: Arc<TextSlot>,
    /// Keeps others from writing until this thread has ended.
    _lock: Arc<File>,
    state: State,
    waiters: Vec<oneshot::Sender<Result<(), Error>>>,
    /// When the last batch of a first build came.
    first_index: Option<Instant>,
    /// How long to wait after the next failure; grows until a commit succeeds.
    retry_wait: Duration,
    /// How often since the last commit the index failed as a damaged one does.
    suspicions: u32,
}

enum State {
    Feeding(Box<Feed>),
    /// The index cannot be written; it is tried again at `retry_at`.
    Failed {
        index: Arc<TextIndex>,
        message: String,
        doubt: Doubt,
        retry_at: Instant,
    },
}

/// What a failure to write says about what was written before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Nothing: the disk is full, or the system refused.
    None,
    /// The last commit must be checked before it is built upon.
    Suspected,
    /// The index must be built anew.
    Damaged,
}

/// What a feeder needs of its store.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: Arc<dyn NoteSource>,
    pub(crate) runtime: Handle,
    pub(crate) commands: Receiver<FeedCommand>,
    pub(crate) writer: mpsc::WeakSender<Command>,
    pub(crate) readers: Readers,
    pub(crate) slot: Arc<TextSlot>,
    pub(crate) lock: Arc<File>,
}

impl Feeder {
    pub(crate) fn new(parts: Parts, opened: TextOpened) -> Self {
        Self {
            state: State::Feeding(Box::new(Feed::new(opened.index, opened.cursor))),
            shared: parts.shared,
            source: parts.source,
            runtime: parts.runtime,
            commands: parts.commands,
            writer: parts.writer,
            readers: parts.readers,
            slot: parts.slot,
            _lock: parts.lock,
            waiters: Vec::new(),
            first_index: None,
            retry_wait: RETRY_FIRST,
            suspicions: 0,
        }
    }

    /// Works until told to close or until the writer is gone.
    pub(crate) fn run(mut self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            let message = format!(
                "the feeder of the text index broke off ({}); restart crucible",
                panic_message(panic.as_ref())
            );
            tracing::error!(error = message, "search is not kept up to date any more");
            self.shared.text_mut().failure = Some(message);
        }
    }

    fn work(&mut self) {
        if let Err(error) = self.catch_up() {
            self.fail(&error);
        }
        loop {
            let wait = self.next_wake().saturating_duration_since(Instant::now());
            match self.commands.recv_timeout(wait) {
                Ok(FeedCommand::Close) | Err(RecvTimeoutError::Disconnected) => {
                    self.close();
                    return;
                }
                Ok(command) => self.take(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tick();
        }
    }

    fn take(&mut self, command: FeedCommand) {
        match command {
            FeedCommand::Batch {
                changes,
                seq,
                is_bulk,
            } => {
                self.first_index = is_bulk.then(Instant::now);
                if let State::Feeding(feed) = &mut self.state
                    && let Err(error) = feed.take(changes, seq, is_bulk)
                {
                    self.fail(&Failure::Text(error));
                }
            }
            FeedCommand::Settle { reply } => self.waiters.push(reply),
            FeedCommand::Close => {}
        }
    }

    /// Does what is due.
    fn tick(&mut self) {
        if let Err(failure) = self.try_tick() {
            self.fail(&failure);
        }
        if let State::Failed { message, .. } = &self.state {
            let error = Error::Internal {
                message: message.clone(),
            };
            for waiter in self.waiters.drain(..) {
                let _gone = waiter.send(Err(error.clone()));
            }
        }
    }

    fn try_tick(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if let State::Failed { retry_at, .. } = &self.state {
            if *retry_at <= now {
                self.begin_again()?;
            }
            return Ok(());
        }
        self.refresh_some()?;
        let State::Feeding(feed) = &mut self.state else {
            return Ok(());
        };
        let is_awaited = !self.waiters.is_empty() && feed.waiting.is_empty();
        let is_due = feed
            .commit_due(&self.shared.config)
            .is_some_and(|due| due <= now);
        if is_due || (is_awaited && feed.is_dirty()) {
            feed.commit(&self.shared)?;
        }
        let is_at_rest = feed.waiting.is_empty() && !feed.is_dirty();
        let has_committed = feed.has_committed();
        if is_at_rest || has_committed {
            self.forget_failure();
        }
        if is_awaited {
            for waiter in self.waiters.drain(..) {
                let _gone = waiter.send(Ok(()));
            }
        }
        let has_ended = self
            .first_index
            .is_some_and(|last| is_awaited || last + FIRST_INDEX_REST <= now);
        if is_at_rest && has_ended && self.tell_writer(Command::FirstIndexEnded) {
            self.first_index = None;
        }
        Ok(())
    }

    /// When the feeder must look again although no command comes.
    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let rest = self.first_index.map(|last| last + FIRST_INDEX_REST);
        let due = match &self.state {
            State::Failed { retry_at, .. } => Some(*retry_at),
            State::Feeding(feed) if !feed.waiting.is_empty() => Some(now),
            State::Feeding(feed) => feed.commit_due(&self.shared.config),
        };
        // A writer that was busy is told a moment later.
        let rest = rest.map(|at| at.max(now + Duration::from_millis(50)));
        [due, rest]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(now + IDLE)
    }

    /// Finds out what the index lacks.
    fn catch_up(&mut self) -> Result<(), Failure> {
        let State::Feeding(feed) = &mut self.state else {
            return Ok(());
        };
        let cursor = feed.cursor();
        let (seq, drops, notes, is_first) = self.readers.read_now(|connection| {
            let notes: VecDeque<i64> = connection
                .prepare_cached("SELECT id FROM files WHERE kind = 0 AND seq > ?1 ORDER BY seq")?
                .query_map([cursor], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((
                Mark::Seq.read(connection)?,
                outbox::texts_to_drop(connection, cursor)?,
                notes,
                Mark::FirstIndex.read(connection)? != 0,
            ))
        })?;
        {
            let mut status = self.shared.text_mut();
            status.pending = 0;
            status.since = None;
            status.is_rebuilding = cursor == 0 && !notes.is_empty();
        }
        self.shared.add_pending(notes.len() as u64);
        self.first_index = is_first.then(Instant::now);
        feed.begin(seq, drops, notes)?;
        Ok(())
    }

    fn refresh_some(&mut self) -> Result<(), Failure> {
        for _ in 0..REFRESH_SLICE {
            let State::Feeding(feed) = &mut self.state else {
                return Ok(());
            };
            let Some(id) = feed.waiting.front().copied() else {
                return Ok(());
            };
            let doubt = feed.refresh(id, &self.readers, self.source.as_ref(), &self.runtime)?;
            feed.waiting.pop_front();
            if let Some(doubt) = doubt {
                self.tell_writer(doubt);
            }
        }
        Ok(())
    }

    /// Tells the writer without waiting for it, since it may be waiting for the feeder.
    fn tell_writer(&self, command: Command) -> bool {
        let writer = self.writer.upgrade();
        writer.is_some_and(|writer| writer.try_send(command).is_ok())
    }

    fn fail(&mut self, failure: &Failure) {
        let (doubt, message) = self.judge(failure);
        let wait = self.retry_wait;
        self.retry_wait = (wait * 2).min(RETRY_MAX);
        let (index, doubt) = match &self.state {
            State::Feeding(feed) => (feed.index(), doubt),
            // It has been moved aside already, and its successor could not be made.
            State::Failed {
                index,
                doubt: Doubt::Damaged,
                ..
            } => (Arc::clone(index), Doubt::Damaged),
            State::Failed { index, .. } => (Arc::clone(index), doubt),
        };
        tracing::warn!(
            error = message,
            retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "the text index cannot be written"
        );
        self.shared.text_mut().failure = Some(message.clone());
        self.state = State::Failed {
            index,
            message,
            doubt,
            retry_at: Instant::now() + wait,
        };
    }

    /// Says what a failure tells about the index, and what people are told.
    ///
    /// A full disk breaks the library's threads off, which looks like damage from outside. So
    /// that is only suspected: the last commit is checked, and believed in when it is sound.
    fn judge(&mut self, failure: &Failure) -> (Doubt, String) {
        let is_suspect = matches!(
            failure,
            Failure::Text(text::Error::Damaged { .. } | text::Error::Absent)
        );
        let is_full = matches!(failure, Failure::Text(text::Error::Full { .. }));
        if is_full || (is_suspect && !has_room(&self.shared.config)) {
            let message = format!(
                "the disk is full, so the text index cannot be written: free space on the disk \
                 of {}; it goes on by itself",
                self.shared.config.index_dir.display()
            );
            return (Doubt::None, message);
        }
        if !is_suspect {
            return (Doubt::None, failure.message());
        }
        self.suspicions += 1;
        let doubt = if self.suspicions < SUSPICIONS_MAX {
            Doubt::Suspected
        } else {
            Doubt::Damaged
        };
        (doubt, failure.message())
    }

    /// Forgets the last failure: the index is written again.
    fn forget_failure(&mut self) {
        self.retry_wait = RETRY_FIRST;
        self.suspicions = 0;
        if self.shared.text_mut().failure.take().is_some() {
            tracing::info!("the text index is written again");
        }
    }

    /// Says whether the index that failed must be built anew.
    fn must_rebuild(&self, doubt: Doubt) -> Result<bool, Failure> {
        if doubt != Doubt::Suspected {
            return Ok(doubt == Doubt::Damaged);
        }
        match check(&self.shared.config) {
            Ok(()) => Ok(false),
            Err(text::Error::Damaged { .. } | text::Error::Absent) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes back to the last commit, or to an empty index when that is damaged, and catches up.
    fn begin_again(&mut self) -> Result<(), Failure> {
        let State::Failed { index, doubt, .. } = &self.state else {
            return Ok(());
        };
        let (index, doubt) = (Arc::clone(index), *doubt);
        let (index, cursor) = if self.must_rebuild(doubt)? {
            if let State::Failed { doubt, .. } = &mut self.state {
                *doubt = Doubt::Damaged;
            }
            let opened = rebuild_text(&self.shared.config)?;
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&opened.index);
            tracing::warn!("the text index is damaged; it was moved aside and is built anew");
            (opened.index, opened.cursor)
        } else {
            index.rollback()?;
            let cursor = index.cursor().cast_signed();
            (index, cursor)
        };
        self.shared.text_cursor.store(cursor, Ordering::Relaxed);
        self.state = State::Feeding(Box::new(Feed::new(index, cursor)));
        self.catch_up()
    }

    fn close(&mut self) {
        if let State::Feeding(feed) = &mut self.state
            && feed.is_dirty()
            && let Err(error) = feed.commit(&self.shared)
        {
            tracing::warn!(%error, "the last changes are indexed at the next start");
        }
        // Whoever still searches does so without the library's own lock.
        if let Ok(reader) = open_own(&self.shared.config) {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = reader;
        }
        for waiter in self.waiters.drain(..) {
            let _gone = waiter.send(Err(Error::Unavailable {
                reason: "the store is closing".to_owned(),
            }));
        }
    }
}

/// Why the feeder cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    Text(text::Error),
    Facts(Error),
}

impl Failure {
    fn message(&self) -> String {
        match self {
            Self::Text(error) => format!(
                "the text index cannot be written ({error}); check the free space of the disk; it \
                 is tried again"
            ),
            Self::Facts(error) => format!("the text index cannot be fed: {error}"),
        }
    }
}

impl From<text::Error> for Failure {
    fn from(error: text::Error) -> Self {
        Self::Text(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Facts(error)
    }
}
