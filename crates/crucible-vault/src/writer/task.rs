//! The task that makes all changes, one after the other.

use std::sync::{Arc, Mutex, PoisonError};

use crucible_services::data_store::DataStore;
use crucible_services::events::Cause;
use crucible_services::note_index::{
    ChangeBatch, ChangeOrigin, FileChange, FileContent, NoteIndex,
};
use crucible_services::note_writer::{
    Author, Change, CreateNote, DeleteNote, EditNote, Error, MoveNote, Written,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::carry_out::{Known as State, Planned, carry_out, put_back};
use super::config::WriterConfig;
use super::history::History;
use super::{internal, moving, path, plan};
use crate::folder::VaultFolder;

/// The most changes, and the most content in bytes, that the index is told in one batch.
const BATCH_MAX: (usize, usize) = (512, 8 * 1024 * 1024);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    Create(CreateNote, Author),
    Edit(EditNote, Author),
    Move(MoveNote, Author),
    Delete(DeleteNote, Author),
    Undo(Option<String>, Author),
    History(Option<String>, usize),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Written(Written),
    History(Vec<Change>),
}

/// Something to do, until when, and where the answer goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) action: Action,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Answer, Error>>,
}

/// Owns the record; nobody else writes.
pub(super) struct Task {
    folder: VaultFolder,
    index: Arc<dyn NoteIndex>,
    store: Arc<dyn DataStore>,
    config: WriterConfig,
    /// Behind a lock only because blocking threads borrow it, one at a time.
    history: Arc<Mutex<History>>,
}

impl Task {
    pub(super) fn new(
        folder: VaultFolder,
        index: Arc<dyn NoteIndex>,
        store: Arc<dyn DataStore>,
        history: History,
        config: WriterConfig,
    ) -> Self {
        Self {
            folder,
            index,
            store,
            config,
            history: Arc::new(Mutex::new(history)),
        }
    }

    /// Takes requests until the token is cancelled or nobody can ask any more. A change that has
    /// begun is finished.
    pub(super) async fn run(self, mut waiting: mpsc::Receiver<Request>, token: CancellationToken) {
        loop {
            let request = tokio::select! {
                biased;
                () = token.cancelled() => break,
                request = waiting.recv() => request,
            };
            let Some(request) = request else { break };
            if request.reply.is_closed() || Instant::now() >= request.deadline {
                continue; // nobody waits any more, so nothing is done
            }
            let answer = self.answer(request.action, request.deadline).await;
            // The one who asked may have gone; the change is in the history all the same.
            let _gone = request.reply.send(answer);
        }
    }

    async fn answer(&self, action: Action, deadline: Instant) -> Result<Answer, Error> {
        match action {
            Action::History(path, limit) => self
                .blocking(move |_, history| Ok(changes(history, path.as_deref(), limit)))
                .await
                .map(Answer::History),
            Action::Create(request, by) => {
                let cause = by.cause;
                let planned = self
                    .blocking(move |folder, _| plan::create(folder, request, &by))
                    .await;
                self.make(planned?, cause, deadline).await
            }
            Action::Edit(request, by) => {
                let cause = by.cause;
                let planned = self
                    .blocking(move |folder, _| plan::edit(folder, &request, &by))
                    .await;
                self.make(planned?, cause, deadline).await
            }
            Action::Delete(request, by) => {
                let cause = by.cause;
                let planned = self
                    .blocking(move |folder, _| plan::delete(folder, &request, &by))
                    .await;
                self.make(planned?, cause, deadline).await
            }
            Action::Undo(change, by) => {
                let cause = by.cause;
                let planned = self
                    .blocking(move |folder, history| {
                        plan::undo(folder, history, change.as_deref(), &by)
                    })
                    .await;
                self.make(planned?, cause, deadline).await
            }
            Action::Move(request, by) => self.rename(request, by, deadline).await,
        }
    }

    async fn rename(
        &self,
        request: MoveNote,
        by: Author,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let cause = by.cause;
        let known = if request.update_links {
            let from = path::existing(&self.folder, &request.from)?;
            let asked = moving::ask(self.store.as_ref(), &self.config, &from);
            let known = tokio::time::timeout_at(deadline, asked).await;
            Some(known.map_err(|_elapsed| {
                internal("looking up the links took too long; nothing was changed")
            })??)
        } else {
            None
        };
        let planned = self
            .blocking(move |folder, _| moving::plan(folder, &request, known.as_ref(), &by))
            .await?;
        self.make(planned, cause, deadline).await
    }

    /// Carries a change out and tells the index.
    async fn make(
        &self,
        planned: Planned,
        cause: Option<Cause>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let turn = self.folder.turn();
        let Ok(held) = tokio::time::timeout_at(deadline, turn.take()).await else {
            return Err(internal(
                "the index is busy with other files; nothing was changed: try again in a moment",
            ));
        };
        let (planned, changes) = self
            .blocking(move |folder, history| {
                finish_begun(folder, history)?;
                let changes = carry_out(folder, history, &planned, || ())?;
                Ok((planned, changes))
            })
            .await?;
        let told = self.tell(changes, cause).await;
        turn.written(moving::paths(&planned).into_iter());
        drop(held);
        told.map_err(|error| Error::Internal {
            message: format!(
                "change {} was made, but the index has not taken it over ({error}); it follows \
                 by itself: do not repeat the change",
                planned.entry.change.id
            ),
        })?;
        Ok(Answer::Written(written(&planned)))
    }

    async fn tell(
        &self,
        changes: Vec<FileChange>,
        cause: Option<Cause>,
    ) -> Result<(), crucible_services::data_store::Error> {
        for changes in batches(changes) {
            self.index
                .apply(ChangeBatch {
                    changes,
                    origin: ChangeOrigin::Change,
                    cause,
                })
                .await?;
        }
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&VaultFolder, &mut History) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = self.folder.clone();
        let history = Arc::clone(&self.history);
        let worked = tokio::task::spawn_blocking(move || {
            let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
            work(&folder, &mut history)
        });
        worked.await.map_err(|error| Error::Internal {
            message: format!("the writer broke off ({error}); look at the history"),
        })?
    }
}

/// Ends a change that was begun and not finished.
pub(super) fn finish_begun(folder: &VaultFolder, history: &mut History) -> Result<(), Error> {
    match history.begun().cloned() {
        Some(entry) => put_back(folder, history, &entry, State::Nothing),
        None => Ok(()),
    }
}

fn batches(changes: Vec<FileChange>) -> Vec<Vec<FileChange>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    // A name must leave before its content can come elsewhere.
    let (moves, others): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| matches!(change, FileChange::Move { .. }));
    for change in moves.into_iter().chain(others) {
        let size = match &change {
            FileChange::Upsert {
                content: FileContent::Note(content),
                ..
            } => content.len(),
            _ => 0,
        };
        let is_full = batches.last().is_some_and(|batch: &Vec<_>| {
            batch.len() >= BATCH_MAX.0 || (!batch.is_empty() && bytes + size > BATCH_MAX.1)
        });
        if is_full {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push(change);
        }
    }
    batches
}

fn written(planned: &Planned) -> Written {
    let change = &planned.entry.change;
    Written {
        change: change.id.clone(),
        path: change.path.clone(),
        hash: change.after.clone(),
        also: change.also.clone(),
    }
}

fn changes(history: &History, path: Option<&str>, limit: usize) -> Vec<Change> {
    history
        .newest()
        .filter(|entry| path.is_none_or(|path| entry.touches(path)))
        .take(limit)
        .map(|entry| entry.change.clone())
        .collect()
}
