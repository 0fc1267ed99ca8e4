//! The one thread that writes the facts file.
//!
//! It owns the write connection, takes commands from a bounded channel, and hands what the text
//! index must do to the feeder's bounded channel, in the order of the outbox. When the feeder is
//! behind, the writer waits for it and so does whoever applies: that is the back-pressure of a
//! large first index.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use crucible_services::data_store::Error;
use crucible_services::events::Cause;
use crucible_services::note_index::{Applied, ChangeOrigin};
use crucible_services::tasks::panic_message;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::facts::batch::{Batch, Outcome};
use crate::facts::{Mark, outbox};
use crate::feeder::FeedCommand;
use crate::open::seal;
use crate::prepare::Prepared;
use crate::schema::FileKind;
use crate::shared::Shared;

/// How many commands wait for the writer; then senders wait.
pub(crate) const COMMANDS_MAX: usize = 16;
/// After how many outbox positions passed rows are deleted, unless listeners tell earlier.
const TRIM_EVERY: i64 = 512;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Write a batch in one transaction.
    Apply {
        changes: Vec<Prepared>,
        origin: ChangeOrigin,
        cause: Option<Cause>,
        reply: oneshot::Sender<Result<Applied, Error>>,
    },
    /// Answer when the text index has committed all that was applied so far.
    Settle {
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// Listeners have been told up to here.
    Told {
        cursor: i64,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// The file of a note, at this path, does not have the content of this hash: it must be read
    /// again. A note that is elsewhere by now is not meant.
    Doubt {
        id: i64,
        path: String,
        hash: Vec<u8>,
    },
    /// The first build of the index has come to rest.
    FirstIndexEnded,
    /// Bounds the size of the file, so that tests can fill the disk.
    #[cfg(test)]
    LimitPages {
        pages: u32,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// End.
    Close,
}

/// The writer's state; runs on its own thread.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) feed: SyncSender<FeedCommand>,
    /// The outbox position of the last trim.
    pub(crate) trimmed: i64,
    /// Keeps others from writing until this thread has ended.
    pub(crate) _lock: Arc<File>,
}

impl Writer {
    /// Works until told to close or until all senders are gone.
    pub(crate) fn run(mut self) {
        while let Some(command) = self.commands.blocking_recv() {
            match command {
                Command::Close => break,
                command => self.handle(command),
            }
        }
        // Commands that came after the last one are answered by their dropped reply.
        self.commands.close();
        let _closed = self.feed.send(FeedCommand::Close);
        // Readers may still have the file open; then closing alone would leave the log behind.
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        if let Err(error) = self.connection.query_row(checkpoint, [], |_| Ok(())) {
            tracing::warn!(%error, "the log of changes stays beside the facts file");
        }
        match self.connection.close() {
            Err((_connection, error)) => {
                tracing::warn!(%error, "the facts file was not closed cleanly");
            }
            // Without the seal the next open looks every page through.
            Ok(()) if self.shared.damage().is_some() => {}
            Ok(()) => {
                if let Err(error) = seal::put(&self.shared.config) {
                    tracing::warn!(%error, "the facts file is not sealed");
                }
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Apply {
                changes,
                origin,
                cause,
                reply,
            } => {
                let applied = self.apply(changes, origin, cause);
                let _gone = reply.send(applied);
                self.trim_sometimes();
            }
            Command::Settle { reply } => {
                if let Err(std::sync::mpsc::SendError(FeedCommand::Settle { reply })) =
                    self.feed.send(FeedCommand::Settle { reply })
                {
                    let _gone = reply.send(Err(text_is_gone()));
                }
            }
            Command::Told { cursor, reply } => {
                let outcome = self.told(cursor);
                let _gone = reply.send(outcome);
            }
            Command::Doubt { id, path, hash } => {
                self.log(|connection| doubt(connection, id, &path, &hash));
            }
            Command::FirstIndexEnded => self.end_first_index(),
            #[cfg(test)]
            Command::LimitPages { pages, reply } => {
                let limited = self
                    .connection
                    .pragma_update(None, "max_page_count", pages)
                    .map_err(|error| self.shared.sqlite_error(&error));
                let _gone = reply.send(limited);
            }
            Command::Close => {}
        }
    }

    fn apply(
        &mut self,
        changes: Vec<Prepared>,
        origin: ChangeOrigin,
        cause: Option<Cause>,
    ) -> Result<Applied, Error> {
        let connection = &mut self.connection;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            in_transaction(connection, |connection| {
                let mut batch = Batch::begin(connection, origin, cause)?;
                for change in changes {
                    batch.apply(change)?;
                }
                batch.finish()
            })
        }));
        match outcome {
            Ok(Ok(outcome)) => Ok(self.hand_on(outcome, origin)),
            Ok(Err(error)) => Err(self.shared.sqlite_error(&error)),
            Err(panic) => Err(Error::Internal {
                message: format!(
                    "writing the facts broke off ({}); nothing of the batch was written",
                    panic_message(panic.as_ref())
                ),
            }),
        }
    }

    fn hand_on(&mut self, outcome: Outcome, origin: ChangeOrigin) -> Applied {
        self.shared.count_parsed(outcome.applied.parsed);
        self.shared.seq.send_replace(outcome.seq);
        if !outcome.text.is_empty() {
            let pending = outcome.text.iter().filter(|change| change.is_note());
            self.shared.add_pending(pending.count() as u64);
            // When the feeder is gone, the text is caught up at the next open.
            let _gone = self.feed.send(FeedCommand::Batch {
                changes: outcome.text,
                seq: outcome.seq,
                is_bulk: origin == ChangeOrigin::FirstIndex,
            });
        }
        outcome.applied
    }

    fn end_first_index(&mut self) {
        let seq = in_transaction(&mut self.connection, |connection| {
            let mut batch = Batch::resume(connection)?;
            batch.end_first_index()?;
            batch.finish().map(|outcome| outcome.seq)
        });
        match seq {
            Ok(seq) => {
                self.shared.seq.send_replace(seq);
            }
            Err(error) => self.warn(&error),
        }
    }

    fn told(&mut self, cursor: i64) -> Result<(), Error> {
        let text = self.shared.text_cursor.load(Ordering::Relaxed);
        in_transaction(&mut self.connection, |connection| {
            Mark::Events.write(connection, cursor)?;
            outbox::trim(connection, text, cursor, true)
        })
        .map_err(|error| self.shared.sqlite_error(&error))
    }

    fn trim_sometimes(&mut self) {
        let seq = *self.shared.seq.borrow();
        if seq - self.trimmed < TRIM_EVERY {
            return;
        }
        self.trimmed = seq;
        let text = self.shared.text_cursor.load(Ordering::Relaxed);
        let is_attached = self.shared.is_attached.load(Ordering::Relaxed);
        self.log(|connection| {
            let events = Mark::Events.read(connection)?;
            outbox::trim(connection, text, events, is_attached)
        });
    }

    /// Does something that nobody waits for.
    fn log(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        if let Err(error) = in_transaction(&mut self.connection, work) {
            self.warn(&error);
        }
    }

    fn warn(&self, error: &rusqlite::Error) {
        let error = self.shared.sqlite_error(error);
        tracing::warn!(%error, "the facts could not be kept in order; it is tried again later");
    }
}

/// Runs `work` in one transaction, which is rolled back when it fails or panics.
fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outcome = work(&transaction)?;
    transaction.commit()?;
    Ok(outcome)
}

/// Forgets the stamp and the hash of a note, unless it has changed since: the vault then reads
/// its file again, and its text is indexed anew.
fn doubt(connection: &Connection, id: i64, path: &str, hash: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE files SET hash = x'', size = 0, modified_ns = 0, inode = 0 \
             WHERE id = ?1 AND hash = ?2 AND kind = ?3 AND path = ?4",
        )?
        .execute((id, hash, FileKind::Note as i64, path))?;
    Ok(())
}

pub(crate) fn text_is_gone() -> Error {
    Error::Internal {
        message: "the text index is not being written any more; restart crucible".to_owned(),
    }
}
