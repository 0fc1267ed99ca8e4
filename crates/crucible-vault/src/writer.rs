//! Writes notes safely: [`VaultWriter`] is the vault's [`NoteWriter`].
//!
//! One task makes all changes, one after the other, so that two writers of one note never meet;
//! requests wait for it in a bounded queue. What a request comes to is worked out first (`plan`,
//! `moving`), then carried out whole or not at all (`carry_out`) under a record on disk
//! (`history`), then told to the index with its cause. `place` is how files are reached.
//!
//! The order of syncs, and what can be lost when, is in `docs/design/safe-writes.md`.

mod blobs;
mod carry_out;
mod config;
mod fault;
mod history;
mod log;
mod moving;
mod path;
mod place;
mod plan;
mod record;
mod task;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use crucible_services::data_store::DataStore;
use crucible_services::note_index::NoteIndex;
use crucible_services::note_writer::{
    Author, Change, CreateNote, DeleteNote, EditNote, Error, MoveNote, NoteWriter, Written,
};
use crucible_services::tasks::TaskOwner;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::folder::VaultFolder;
use history::History;
use task::{Action, Answer, Request, Task};

pub use config::WriterConfig;

/// Makes changes to the notes of one vault. Cheap to clone.
///
/// It holds the record of changes open: one process at a time can write to a vault.
#[derive(Clone, Debug)]
pub struct VaultWriter {
    requests: mpsc::Sender<Request>,
    config: WriterConfig,
}

/// Why a vault cannot be written. Messages read after "failed to open the record of changes: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriterError {
    /// Another process has it open.
    #[error(
        "another process writes to this vault ({}); stop it, or ask it to make the change",
        folder.display()
    )]
    Busy {
        /// The folder of the record.
        folder: PathBuf,
    },
    /// The system refused.
    #[error("{} cannot be opened; check its permissions and the disk", folder.display())]
    Unreadable {
        /// The folder of the record.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A change that a crash interrupted can be neither finished nor taken back.
    #[error(
        "a change that was interrupted could not be taken back ({0}); nothing is written until it can"
    )]
    Unfinished(Error),
}

impl VaultWriter {
    /// Opens the record of changes in `history_dir`, ends what a crash interrupted, and starts
    /// the task that writes, owned by `tasks`.
    ///
    /// `folder` must be a clone of the one that the vault's service follows: see [`VaultFolder`].
    ///
    /// # Errors
    /// See [`WriterError`].
    pub async fn new(
        folder: VaultFolder,
        index: Arc<dyn NoteIndex>,
        store: Arc<dyn DataStore>,
        history_dir: PathBuf,
        config: WriterConfig,
        tasks: &TaskOwner,
    ) -> Result<Self, WriterError> {
        let opened = {
            let (folder, config) = (folder.clone(), config.clone());
            tokio::task::spawn_blocking(move || open(&folder, history_dir, &config)).await
        };
        let history = opened.map_err(|error| {
            WriterError::Unfinished(Error::Internal {
                message: error.to_string(),
            })
        })??;
        let (requests, waiting) = mpsc::channel(config.queue_max.max(1));
        let task = Task::new(folder, index, store, history, config.clone());
        let token = tasks.token().clone();
        tasks.spawn("note-writer", task.run(waiting, token));
        Ok(Self { requests, config })
    }

    async fn ask(&self, action: Action) -> Result<Answer, Error> {
        let deadline = Instant::now() + self.config.deadline;
        let (reply, answer) = oneshot::channel();
        let request = Request {
            action,
            deadline,
            reply,
        };
        match tokio::time::timeout_at(deadline, self.requests.send(request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Err(stopped()),
            Err(_elapsed) => {
                return Err(internal(
                    "too many changes wait to be made; nothing was changed: try again in a moment",
                ));
            }
        }
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_dropped)) => Err(stopped()),
            Err(_elapsed) => Err(internal(
                "the change took too long; it may still be made: look at the history before you \
                 repeat it",
            )),
        }
    }

    async fn change(&self, action: Action) -> Result<Written, Error> {
        match self.ask(action).await? {
            Answer::Written(written) => Ok(written),
            Answer::History(_) => Err(internal("the writer gave the answer to another question")),
        }
    }
}

fn open(
    folder: &VaultFolder,
    history_dir: PathBuf,
    config: &WriterConfig,
) -> Result<History, WriterError> {
    let mut history = match History::open(&history_dir, config) {
        Ok(history) => history,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(WriterError::Busy {
                folder: history_dir,
            });
        }
        Err(source) => {
            return Err(WriterError::Unreadable {
                folder: history_dir,
                source,
            });
        }
    };
    task::finish_begun(folder, &mut history).map_err(WriterError::Unfinished)?;
    history.tidy().map_err(|source| WriterError::Unreadable {
        folder: history_dir,
        source,
    })?;
    Ok(history)
}

fn stopped() -> Error {
    internal("the writer has been stopped; start Crucible again")
}

fn internal(message: &str) -> Error {
    Error::Internal {
        message: message.to_owned(),
    }
}

#[async_trait]
impl NoteWriter for VaultWriter {
    async fn create(&self, request: CreateNote, by: Author) -> Result<Written, Error> {
        self.change(Action::Create(request, by)).await
    }

    async fn edit(&self, request: EditNote, by: Author) -> Result<Written, Error> {
        self.change(Action::Edit(request, by)).await
    }

    async fn rename(&self, request: MoveNote, by: Author) -> Result<Written, Error> {
        self.change(Action::Move(request, by)).await
    }

    async fn delete(&self, request: DeleteNote, by: Author) -> Result<Written, Error> {
        self.change(Action::Delete(request, by)).await
    }

    async fn undo(&self, change: Option<&str>, by: Author) -> Result<Written, Error> {
        self.change(Action::Undo(change.map(str::to_owned), by))
            .await
    }

    async fn history(&self, path: Option<&str>, limit: usize) -> Result<Vec<Change>, Error> {
        let action = Action::History(path.map(str::to_owned), limit);
        match self.ask(action).await? {
            Answer::History(changes) => Ok(changes),
            Answer::Written(_) => Err(internal("the writer gave the answer to another question")),
        }
    }
}
