//! The thread that writes the state file.

use std::path::Path;

use crucible_services::state_store::{Error, Expect, StateWrite};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

/// How many writes wait for the thread; then whoever writes waits.
pub(super) const WAITING_MAX: usize = 64;

/// One write that somebody waits for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) namespace: String,
    pub(super) writes: Vec<StateWrite>,
    pub(super) reply: oneshot::Sender<Result<(), Error>>,
}

/// Writes until all senders are gone.
pub(super) fn run(mut connection: Connection, mut jobs: mpsc::Receiver<Job>, path: &Path) {
    while let Some(first) = jobs.blocking_recv() {
        let mut together = vec![first];
        while together.len() < WAITING_MAX
            && let Ok(next) = jobs.try_recv()
        {
            together.push(next);
        }
        let outcomes = write_all(&mut connection, &together);
        for (place, job) in together.into_iter().enumerate() {
            let outcome = match &outcomes {
                Ok(outcomes) => outcomes[place].clone(),
                Err(error) => Err(failed(path, error)),
            };
            let _gone = job.reply.send(outcome);
        }
    }
    if let Err((_connection, error)) = connection.close() {
        tracing::warn!(%error, "the state file was not closed cleanly");
    }
}

/// Writes all jobs with one sync of the disk, each whole or not at all.
fn write_all(
    connection: &mut Connection,
    jobs: &[Job],
) -> rusqlite::Result<Vec<Result<(), Error>>> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        let savepoint = transaction.savepoint()?; // rolled back unless it is committed
        let outcome = write(&savepoint, job)?;
        if outcome.is_ok() {
            savepoint.commit()?;
        }
        outcomes.push(outcome);
    }
    transaction.commit()?;
    Ok(outcomes)
}

fn write(connection: &Connection, job: &Job) -> rusqlite::Result<Result<(), Error>> {
    for write in &job.writes {
        let at = (&job.namespace, &write.key);
        let holds = match &write.expect {
            Expect::Anything => true,
            Expect::Absent => current(connection, at)?.is_none(),
            Expect::Value(value) => current(connection, at)?.as_ref() == Some(value),
        };
        if !holds {
            let key = write.key.clone();
            return Ok(Err(Error::Changed { key }));
        }
        match &write.value {
            Some(value) => connection
                .prepare_cached(
                    "INSERT INTO state (namespace, key, value) VALUES (?1, ?2, ?3) \
                     ON CONFLICT DO UPDATE SET value = excluded.value",
                )?
                .execute((at.0, at.1, value))?,
            None => connection
                .prepare_cached("DELETE FROM state WHERE namespace = ?1 AND key = ?2")?
                .execute(at)?,
        };
    }
    Ok(Ok(()))
}

fn current(connection: &Connection, at: (&String, &String)) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT value FROM state WHERE namespace = ?1 AND key = ?2")?
        .query_row(at, |row| row.get(0))
        .optional()
}

/// Turns an error of SQLite into one for callers, with the file and the cure.
pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let path = path.display();
    Error::Failed(match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            format!("the disk of {path} is full; free some space and try again")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => format!(
            "{path} is damaged ({error}); stop crucible, keep the file, and put a copy of it in \
             its place"
        ),
        _ => format!("{path} cannot be used ({error}); check the disk and its permissions"),
    })
}
