//! The event itself: head, detail and metadata.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventPayload, EventSource, EventType, ServiceTarget};
use crate::clock;
use crate::ids::{CorrelationId, EventId};

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonEvent {
    /// Identifies the event; sorts by creation time.
    pub id: EventId,
    /// When the event was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// Who says so.
    pub source: EventSource,
    /// The detail.
    pub payload: EventPayload,
    /// For whom; empty means everyone who subscribes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ServiceTarget>,
    /// Which lane of a mailbox the event takes.
    #[serde(default)]
    pub priority: EventPriority,
    /// How the event hangs together with others.
    pub metadata: EventMetadata,
}

impl DaemonEvent {
    /// Creates an event of normal priority, for everyone, that begins its own correlation.
    #[must_use]
    pub fn new(event_type: EventType, source: EventSource, payload: EventPayload) -> Self {
        let id = EventId::fresh();
        Self {
            id,
            timestamp: clock::now(),
            event_type,
            source,
            payload,
            targets: Vec::new(),
            priority: EventPriority::Normal,
            metadata: EventMetadata {
                correlation_id: id.into(),
                causation_id: None,
                depth: 0,
                ordering_key: None,
                labels: BTreeMap::new(),
            },
        }
    }

    /// Adds a target; an event with targets reaches only them.
    #[must_use]
    pub fn with_target(mut self, target: ServiceTarget) -> Self {
        self.targets.push(target);
        self
    }

    /// Sets the priority.
    #[must_use]
    pub fn with_priority(mut self, priority: EventPriority) -> Self {
        self.priority = priority;
        self
    }

    /// Says which event caused this one: takes over its correlation, one step deeper.
    #[must_use]
    pub fn caused_by(self, cause: &Self) -> Self {
        self.following(&cause.as_cause())
    }

    /// As [`DaemonEvent::caused_by`], where only the cause's identity is at hand.
    #[must_use]
    pub fn following(mut self, cause: &Cause) -> Self {
        self.metadata.correlation_id = cause.correlation_id;
        self.metadata.causation_id = Some(cause.event_id);
        self.metadata.depth = cause.depth.saturating_add(1);
        self
    }

    /// Returns what another event needs to name this one as its cause.
    #[must_use]
    pub const fn as_cause(&self) -> Cause {
        Cause {
            event_id: self.id,
            correlation_id: self.metadata.correlation_id,
            depth: self.metadata.depth,
        }
    }

    /// Sets the ordering key: events of one key reach an instance in the order they were routed.
    #[must_use]
    pub fn with_ordering_key(mut self, key: impl Into<String>) -> Self {
        self.metadata.ordering_key = Some(key.into());
        self
    }

    /// Adds a label for filters and people.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.labels.insert(name.into(), value.into());
        self
    }
}

/// An event as the cause of something: carried with a request or a write, so that the events that
/// come of it keep the correlation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The event.
    pub event_id: EventId,
    /// Its correlation.
    pub correlation_id: CorrelationId,
    /// Its depth in the chain of causes.
    pub depth: u16,
}

/// Which lane of a mailbox an event takes; a higher lane is drained first.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EventPriority {
    /// Bulk work that may wait.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// A person is waiting.
    High,
    /// Control and safety: never waits behind a flood.
    Critical,
}

/// How an event hangs together with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventMetadata {
    /// Shared by all events with the same first cause.
    pub correlation_id: CorrelationId,
    /// The event that directly caused this one; `None` for a first cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// Length of the chain of causes; bounded by the router, so that loops end.
    #[serde(default)]
    pub depth: u16,
    /// Events of one key are handled in order; for notes, the vault path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering_key: Option<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::super::SystemEventType;
    use super::*;

    fn event() -> DaemonEvent {
        DaemonEvent::new(
            EventType::System(SystemEventType::DaemonStarted {
                version: "1.0.0".to_owned(),
            }),
            EventSource::system("core"),
            EventPayload::json(serde_json::json!({ "status": "running" })),
        )
    }

    #[test]
    fn caused_event_keeps_the_correlation() {
        let first = event();
        let second = event().caused_by(&first);
        let third = event().caused_by(&second);
        assert_eq!(third.metadata.correlation_id, first.metadata.correlation_id);
        assert_eq!(third.metadata.causation_id, Some(second.id));
        assert_eq!(third.metadata.depth, 2);
    }

    #[test]
    fn event_round_trips_through_json() {
        let event = event()
            .with_target(ServiceTarget::new("store"))
            .with_label("a", "b");
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<DaemonEvent>(&json).unwrap(), event);
    }
}
