//! Which events a subscriber wants.

use serde::{Deserialize, Serialize};

use super::{DaemonEvent, EventCategory, EventPriority, SourceKind};

/// Says which events a subscriber wants.
///
/// Each list that is not empty must contain the event's value; an empty list asks nothing, so
/// the default filter matches every event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// Wanted categories.
    pub categories: Vec<EventCategory>,
    /// Wanted dotted names, such as `filesystem.file_created`.
    pub types: Vec<String>,
    /// Wanted sorts of tellers.
    pub sources: Vec<SourceKind>,
    /// The least priority that is wanted.
    pub priority_min: Option<EventPriority>,
}

impl EventFilter {
    /// Returns a filter that matches every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Returns a filter for one category.
    #[must_use]
    pub fn category(category: EventCategory) -> Self {
        Self {
            categories: vec![category],
            ..Self::default()
        }
    }

    /// Says whether the subscriber wants `event`.
    #[must_use]
    pub fn matches(&self, event: &DaemonEvent) -> bool {
        contains_or_empty(&self.categories, &event.event_type.category())
            && contains_or_empty(&self.sources, &event.source.kind)
            && self
                .priority_min
                .is_none_or(|least| event.priority >= least)
            && (self.types.is_empty() || self.types.iter().any(|t| *t == event.event_type.name()))
    }
}

fn contains_or_empty<T: PartialEq>(wanted: &[T], value: &T) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

#[cfg(test)]
mod tests {
    use super::super::{EventPayload, EventSource, EventType, FilesystemEventType};
    use super::*;

    fn check(filter: &EventFilter, expected: bool) {
        let event = DaemonEvent::new(
            EventType::Filesystem(FilesystemEventType::FileDeleted {
                path: "a.md".to_owned(),
            }),
            EventSource::filesystem("watcher"),
            EventPayload::text(""),
        );
        assert_eq!(filter.matches(&event), expected, "{filter:?}");
    }

    #[test]
    fn lists_narrow_and_empty_lists_do_not() {
        check(&EventFilter::all(), true);
        check(&EventFilter::category(EventCategory::Filesystem), true);
        check(&EventFilter::category(EventCategory::Mcp), false);
        let types = vec!["filesystem.file_deleted".to_owned()];
        check(
            &EventFilter {
                types,
                ..EventFilter::all()
            },
            true,
        );
        let types = vec!["filesystem.file_created".to_owned()];
        check(
            &EventFilter {
                types,
                ..EventFilter::all()
            },
            false,
        );
        check(
            &EventFilter {
                sources: vec![SourceKind::Manual],
                ..EventFilter::all()
            },
            false,
        );
        let priority_min = Some(EventPriority::High);
        check(
            &EventFilter {
                priority_min,
                ..EventFilter::all()
            },
            false,
        );
    }
}
