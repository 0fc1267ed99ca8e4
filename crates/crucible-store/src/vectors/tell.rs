//! Tells that a changed note has its vectors, as what follows its change.
//!
//! Only notes whose change was told are told of: the vectors of a first index are counted, and shown by
//! the store's figures.

use std::collections::BTreeMap;
use std::time::Duration;

use crucible_services::events::{
    DaemonEvent, DatabaseEventType, EventPayload, EventPublisher, EventSource, EventType,
};
use serde_json::json;

use super::ModelKey;
use crate::store::Store;

/// The collection that vectors are records of.
const TABLE: &str = "vectors";
/// How long one event may take to be accepted; then it is dropped, and logged.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// Tells that a block of each of `paths` got its vector from `model`.
pub(super) async fn made(
    store: &Store,
    events: &dyn EventPublisher,
    model: &ModelKey,
    paths: Vec<String>,
) {
    let mut blocks: BTreeMap<String, u64> = BTreeMap::new();
    for path in paths {
        *blocks.entry(path).or_default() += 1;
    }
    for (path, blocks) in blocks {
        let Some(cause) = store.inner.shared.causes().of(&path) else {
            continue;
        };
        let event = DaemonEvent::new(
            EventType::Database(DatabaseEventType::RecordUpdated {
                table: TABLE.to_owned(),
                id: path.clone(),
            }),
            EventSource::database("datastore"),
            EventPayload::json(json!({ "blocks": blocks, "model": model.name })),
        )
        .following(&cause)
        .with_ordering_key(path);
        match tokio::time::timeout(PUBLISH_DEADLINE, events.publish(event)).await {
            Ok(Ok(_receipt)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "vectors were made and not told of"),
            Err(_elapsed) => tracing::warn!("an event about vectors was not accepted in time"),
        }
    }
}
