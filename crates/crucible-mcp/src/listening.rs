//! Telling clients what has changed, in the way of either era.
//!
//! A modern client opens a stream (`subscriptions/listen`) that says what it wants. A legacy
//! client subscribes to single notes (`resources/subscribe`), and is told of changed lists
//! without asking.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crucible_services::events::{DaemonEvent, DatabaseEventType, EventType, ScriptEventType};
use rmcp::RoleServer;
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, SubscriptionContext, SubscriptionSink};
use tokio_util::sync::CancellationToken;

use crate::changes::{News, Subscriber, URIS_MAX};
use crate::gateway::Gateway;
use crate::uri;

/// The table of records that are notes.
const NOTES: &str = "notes";
/// How long a client may take to take one notification; then it is given up.
const SEND_DEADLINE: Duration = Duration::from_secs(30);

/// Takes over what an event says about notes and tools.
pub(crate) fn take(gateway: &Gateway, event: &DaemonEvent) {
    match &event.event_type {
        EventType::Database(DatabaseEventType::RecordUpdated { table, id }) if table == NOTES => {
            gateway.changes.note_changed(&uri::of(id), false);
        }
        EventType::Database(
            DatabaseEventType::RecordCreated { table, id }
            | DatabaseEventType::RecordDeleted { table, id },
        ) if table == NOTES => gateway.changes.note_changed(&uri::of(id), true),
        EventType::Script(
            ScriptEventType::Loaded { .. }
            | ScriptEventType::Removed { .. }
            | ScriptEventType::Granted { .. },
        ) if !gateway.providers.is_empty() => gateway.changes.tools_changed(),
        _ => {}
    }
}

/// Returns what of a request for a stream can be granted: notes, as many as may be, and lists.
pub(crate) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut accepted = requested.clone();
    accepted.prompts_list_changed = None;
    if let Some(uris) = &mut accepted.resource_subscriptions {
        uris.retain(|uri| uri::path_of(uri).is_some());
        uris.truncate(URIS_MAX);
    }
    accepted
}

/// Serves one stream of the modern era to its end.
pub(crate) async fn listen(
    gateway: &Arc<Gateway>,
    principal: &str,
    context: SubscriptionContext,
    ended: &CancellationToken,
) -> Result<(), ErrorData> {
    let accepted = context.accepted().clone();
    let uris: BTreeSet<String> = accepted
        .resource_subscriptions
        .iter()
        .flatten()
        .cloned()
        .collect();
    let place = gateway
        .changes
        .subscribe(principal, true, uris)
        .map_err(|reason| ErrorData::invalid_request(reason, None))?;
    loop {
        let news = tokio::select! {
            biased;
            () = context.cancelled() => return Ok(()),
            () = ended.cancelled() => return Ok(()),
            news = place.subscriber.news() => news,
        };
        let told = tokio::time::timeout(SEND_DEADLINE, send(context.sink(), &accepted, news));
        if !told.await.unwrap_or(false) {
            return Ok(());
        }
    }
}

/// Sends news over a stream; false when it is gone.
async fn send(sink: &SubscriptionSink, accepted: &SubscriptionFilter, news: News) -> bool {
    for uri in news.uris {
        if sink.notify_resource_updated(uri).await.is_err() {
            return false;
        }
    }
    if news.resources
        && accepted.resources_list_changed == Some(true)
        && sink.notify_resource_list_changed().await.is_err()
    {
        return false;
    }
    !(news.tools
        && accepted.tools_list_changed == Some(true)
        && sink.notify_tool_list_changed().await.is_err())
}

/// Tells a client of the legacy era what has changed, until it is gone.
pub(crate) async fn follow(
    peer: Peer<RoleServer>,
    subscriber: Arc<Subscriber>,
    ended: CancellationToken,
    stopped: CancellationToken,
) {
    loop {
        let news = tokio::select! {
            biased;
            () = ended.cancelled() => return,
            () = stopped.cancelled() => return,
            news = subscriber.news() => news,
        };
        let told = tokio::time::timeout(SEND_DEADLINE, notify(&peer, news));
        if !told.await.unwrap_or(false) {
            return;
        }
    }
}

async fn notify(peer: &Peer<RoleServer>, news: News) -> bool {
    for uri in news.uris {
        let update = ResourceUpdatedNotificationParam::new(uri);
        if peer.notify_resource_updated(update).await.is_err() {
            return false;
        }
    }
    if news.resources && peer.notify_resource_list_changed().await.is_err() {
        return false;
    }
    !(news.tools && peer.notify_tool_list_changed().await.is_err())
}
