//! Tells listeners what happened: the follower of the outbox that makes events.
//!
//! For each row one event about the file, then, where a note's record came, changed or went, one
//! about the record, caused by the first. The position is kept in the facts file, so that a
//! restart tells what was not told yet; after a crash a few may be told twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crucible_services::data_store::Error;
use crucible_services::events::{
    DaemonEvent, DatabaseEventType, EventPayload, EventPublisher, EventSource, EventType,
    FilesystemEventType,
};
use crucible_services::router::RouteError;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::facts::Mark;
use crate::facts::outbox::{self, OutboxRow};
use crate::schema::{OutboxKind, RecordChange};
use crate::store::Store;
use crate::writer::Command;

/// How many rows are told before the position is kept.
const ROWS_MAX: usize = 128;
/// How long one event may take to be accepted; then it is told again.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait before trying again after a failure.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// The collection that notes are records of.
const TABLE: &str = "notes";

/// Follows the outbox until `token` is cancelled.
pub(crate) async fn follow(
    store: Store,
    events: Arc<dyn EventPublisher>,
    token: CancellationToken,
) {
    let shared = Arc::clone(&store.inner.shared);
    shared.is_attached.store(true, Ordering::Relaxed);
    let mut seq = shared.seq.subscribe();
    while !token.is_cancelled() {
        seq.mark_unchanged();
        let wait = match tell_some(&store, events.as_ref(), &token).await {
            Ok(0) => None,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error, "listeners could not be told; it is tried again");
                Some(RETRY_WAIT)
            }
        };
        tokio::select! {
            () = token.cancelled() => break,
            changed = seq.changed() => {
                if changed.is_err() {
                    break;
                }
            }
            () = sleep(wait) => {}
        }
    }
    shared.is_attached.store(false, Ordering::Relaxed);
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Tells the next rows and keeps the position; returns how many rows it were.
async fn tell_some(
    store: &Store,
    events: &dyn EventPublisher,
    token: &CancellationToken,
) -> Result<usize, String> {
    let words = |error: Error| error.to_string();
    let (cursor, rows) = store
        .inner
        .readers
        .read(|connection| {
            let cursor = Mark::Events.read(connection)?;
            Ok((cursor, outbox::to_tell(connection, cursor, ROWS_MAX)?))
        })
        .await
        .map_err(words)?;
    let mut told = cursor;
    let mut count = 0;
    let mut outcome = Ok(());
    for row in rows {
        if token.is_cancelled() {
            break;
        }
        let seq = row.seq;
        outcome = tell(store, events, row).await;
        if outcome.is_err() {
            break;
        }
        told = seq;
        count += 1;
    }
    if told > cursor {
        let kept = store.command(|reply| Command::Told {
            cursor: told,
            reply,
        });
        kept.await.map_err(words)?;
    }
    outcome.map(|()| count)
}

async fn tell(store: &Store, events: &dyn EventPublisher, row: OutboxRow) -> Result<(), String> {
    for event in events_of(row) {
        let name = event.event_type.name();
        remember(store, &event);
        match tokio::time::timeout(PUBLISH_DEADLINE, events.publish(event)).await {
            Ok(Ok(_receipt)) => {}
            Ok(Err(error @ RouteError::Invalid { .. })) => {
                // It would be refused again for ever.
                tracing::error!(event.name = %name, %error, "an event was refused and is dropped");
            }
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_elapsed) => {
                return Err(format!(
                    "{name} was not accepted within {} s",
                    PUBLISH_DEADLINE.as_secs()
                ));
            }
        }
    }
    Ok(())
}

/// Remembers an event about a record: vectors that are made of the note follow it.
fn remember(store: &Store, event: &DaemonEvent) {
    if let EventType::Database(
        DatabaseEventType::RecordCreated { id, .. } | DatabaseEventType::RecordUpdated { id, .. },
    ) = &event.event_type
    {
        store.inner.shared.causes().remember(id, event.as_cause());
    }
}

/// The events that a row stands for, each after the one that it follows. The first follows what the
/// daemon did to make the change, if it did.
fn events_of(row: OutboxRow) -> Vec<DaemonEvent> {
    let path = row.path.clone();
    let file = match row.kind {
        OutboxKind::Created => FilesystemEventType::FileCreated { path },
        OutboxKind::Modified => FilesystemEventType::FileModified { path },
        OutboxKind::Deleted => FilesystemEventType::FileDeleted { path },
        OutboxKind::Moved => FilesystemEventType::FileMoved {
            from: row.from_path.clone().unwrap_or_default(),
            to: path,
        },
        OutboxKind::Built => return vec![index_built(row)],
    };
    let mut first = DaemonEvent::new(
        EventType::Filesystem(file),
        EventSource::filesystem("vault"),
        EventPayload::json(Value::Object(row.detail.clone())),
    )
    .with_ordering_key(&row.path);
    if let Some(cause) = &row.cause {
        first = first.following(cause);
    }
    let records = records_of(&row);
    let mut events = vec![first];
    for (record, key) in records {
        let event = DaemonEvent::new(
            EventType::Database(record),
            EventSource::database("datastore"),
            EventPayload::json(Value::Object(row.detail.clone())),
        );
        let event = event.caused_by(&events[0]).with_ordering_key(key);
        events.push(event);
    }
    events
}

/// What happened to records, with their keys. A record's key is the note's path, so a note that
/// moves leaves one key and comes under another.
fn records_of(row: &OutboxRow) -> Vec<(DatabaseEventType, String)> {
    let table = TABLE.to_owned();
    let id = row.path.clone();
    let event = match row.record {
        RecordChange::None => return Vec::new(),
        RecordChange::Created => DatabaseEventType::RecordCreated { table, id },
        RecordChange::Updated => DatabaseEventType::RecordUpdated { table, id },
        RecordChange::Deleted => DatabaseEventType::RecordDeleted { table, id },
        RecordChange::Moved => {
            let from = row.from_path.clone().unwrap_or_default();
            let gone = DatabaseEventType::RecordDeleted {
                table: table.clone(),
                id: from.clone(),
            };
            let came = DatabaseEventType::RecordCreated { table, id };
            return vec![(gone, from), (came, row.path.clone())];
        }
    };
    vec![(event, row.path.clone())]
}

fn index_built(row: OutboxRow) -> DaemonEvent {
    let records = row.detail.get("records").and_then(Value::as_u64);
    let mut detail = Map::new();
    detail.insert("index".to_owned(), Value::String(row.path.clone()));
    detail.extend(row.detail);
    DaemonEvent::new(
        EventType::Database(DatabaseEventType::IndexBuilt {
            index: row.path,
            records: records.unwrap_or_default(),
        }),
        EventSource::database("datastore"),
        EventPayload::json(Value::Object(detail)),
    )
}
