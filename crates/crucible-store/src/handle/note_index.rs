//! Taking files over.

use std::collections::HashMap;
use std::num::NonZero;

use async_trait::async_trait;
use crucible_services::data_store::Error;
use crucible_services::note_index::{
    Applied, ChangeBatch, FileChange, FileContent, FileStamp, NoteIndex,
};
use tokio::task::spawn_blocking;

use crate::facts::Mark;
use crate::prepare::{Prepared, prepare};
use crate::readers::Readers;
use crate::schema::FileKind;
use crate::store::Store;
use crate::writer::Command;

/// Below this much content a batch is prepared on one thread, in bytes.
const SPLIT_BYTES_MIN: usize = 64 * 1024;
/// The most threads that prepare one batch.
const THREADS_MAX: usize = 8;

#[async_trait]
impl NoteIndex for Store {
    async fn known_files(&self) -> Result<HashMap<String, FileStamp>, Error> {
        self.inner
            .readers
            .read(|connection| {
                let mut statement =
                    connection.prepare("SELECT path, size, modified_ns, inode FROM files")?;
                let files = statement.query_map([], |row| {
                    let stamp = FileStamp {
                        size: row.get::<_, i64>(1)?.cast_unsigned(),
                        modified_ns: row.get(2)?,
                        inode: row.get::<_, i64>(3)?.cast_unsigned(),
                    };
                    Ok((row.get(0)?, stamp))
                })?;
                Ok(files.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn apply(&self, batch: ChangeBatch) -> Result<Applied, Error> {
        if !self.is_writing() {
            return self
                .command(|reply| Command::Apply {
                    changes: Vec::new(),
                    origin: batch.origin,
                    cause: batch.cause,
                    reply,
                })
                .await;
        }
        let changes = prepare_all(&self.inner.readers, batch.changes).await?;
        let (origin, cause) = (batch.origin, batch.cause);
        self.command(|reply| Command::Apply {
            changes,
            origin,
            cause,
            reply,
        })
        .await
    }

    async fn settle(&self) -> Result<(), Error> {
        self.command(|reply| Command::Settle { reply }).await
    }
}

/// Hashes and parses a batch on several threads, in order.
async fn prepare_all(readers: &Readers, changes: Vec<FileChange>) -> Result<Vec<Prepared>, Error> {
    let mut parts = Vec::new();
    for part in split(changes) {
        let readers = readers.clone();
        parts.push(spawn_blocking(move || prepare_part(&readers, part)));
    }
    let mut prepared = Vec::new();
    for part in parts {
        let part = part.await.map_err(|error| Error::Internal {
            message: format!("parsing broke off ({error}); nothing of the batch was written"),
        })??;
        prepared.extend(part);
    }
    Ok(prepared)
}

/// Cuts a batch into runs of about equal content, one for each thread.
fn split(changes: Vec<FileChange>) -> Vec<Vec<FileChange>> {
    let total: usize = changes.iter().map(content_bytes).sum();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    if total < SPLIT_BYTES_MIN || threads < 2 {
        return vec![changes];
    }
    let part_bytes = total.div_ceil(threads.min(THREADS_MAX));
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for change in changes {
        if bytes >= part_bytes {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += content_bytes(&change);
        if let Some(part) = parts.last_mut() {
            part.push(change);
        }
    }
    parts
}

fn content_bytes(change: &FileChange) -> usize {
    match change {
        FileChange::Upsert {
            content: FileContent::Note(bytes),
            ..
        } => bytes.len(),
        _ => 0,
    }
}

fn prepare_part(readers: &Readers, changes: Vec<FileChange>) -> Result<Vec<Prepared>, Error> {
    readers.read_now(|connection| {
        let is_empty = Mark::Seq.read(connection)? == 0;
        let mut statement =
            connection.prepare_cached("SELECT hash FROM files WHERE path = ?1 AND kind = ?2")?;
        // What cannot be looked up counts as unknown; the writer looks again.
        Ok(prepare(changes, |path| {
            if is_empty {
                return None;
            }
            statement
                .query_row((path, FileKind::Note as i64), |row| row.get(0))
                .ok()
        }))
    })
}
