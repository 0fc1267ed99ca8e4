//! What an event must be like to be routed.

use serde_json::Value;

use super::config::RoutingConfig;
use super::receipt::RouteError;
use crate::events::{DaemonEvent, EventPayload, EventType, FilesystemEventType};

/// The longest name of a source or of a custom event, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The longest path, in bytes (`PATH_MAX` of Linux).
const PATH_BYTES_MAX: usize = 4096;
/// The most targets of one event.
const TARGETS_MAX: usize = 64;
/// The most bytes of all labels and the ordering key together.
const LABEL_BYTES_MAX: usize = 64 * 1024;
/// The deepest nesting of a JSON payload, as in `serde_json`'s parser.
const NESTING_MAX: u8 = 128;

/// Returns the size of the payload in bytes, or names the field at fault.
pub(super) fn check(event: &DaemonEvent, config: &RoutingConfig) -> Result<usize, RouteError> {
    if event.metadata.depth > config.hops_max {
        return invalid(
            "metadata.depth",
            format!(
                "the chain of causes is longer than {}; services probably answer each other's \
                 events without end",
                config.hops_max
            ),
        );
    }
    check_name("source.id", &event.source.id)?;
    check_type(&event.event_type)?;
    if event.targets.len() > TARGETS_MAX {
        return invalid("targets", format!("there are more than {TARGETS_MAX}"));
    }
    let labels = &event.metadata.labels;
    let label_bytes = labels.iter().map(|(name, value)| name.len() + value.len());
    let key_bytes = event.metadata.ordering_key.as_ref().map_or(0, String::len);
    if label_bytes.sum::<usize>() + key_bytes > LABEL_BYTES_MAX {
        return invalid(
            "metadata",
            format!("labels and ordering key take more than {LABEL_BYTES_MAX} bytes"),
        );
    }
    let mut size = Size {
        bytes: 0,
        max: config.payload_bytes_max,
    };
    size.add_payload(&event.payload)
        .or_else(|reason| invalid("payload", reason))?;
    Ok(size.bytes)
}

/// Returns the size of the payload in bytes, however large it is.
pub(super) fn size_of(event: &DaemonEvent) -> usize {
    let mut size = Size {
        bytes: 0,
        max: usize::MAX,
    };
    match size.add_payload(&event.payload) {
        Ok(()) => size.bytes,
        Err(_too_deep) => usize::MAX,
    }
}

fn invalid<T>(field: &'static str, reason: impl Into<String>) -> Result<T, RouteError> {
    Err(RouteError::Invalid {
        field,
        reason: reason.into(),
    })
}

fn check_name(field: &'static str, name: &str) -> Result<(), RouteError> {
    if name.trim().is_empty() {
        return invalid(field, "it is empty");
    }
    if name.len() > NAME_BYTES_MAX {
        return invalid(field, format!("it is longer than {NAME_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn check_type(event_type: &EventType) -> Result<(), RouteError> {
    match event_type {
        EventType::Custom { name } => check_name("event_type.name", name),
        EventType::Filesystem(FilesystemEventType::FileMoved { from, to }) => {
            check_path("event_type.from", from)?;
            check_path("event_type.to", to)
        }
        EventType::Filesystem(
            FilesystemEventType::FileCreated { path }
            | FilesystemEventType::FileModified { path }
            | FilesystemEventType::FileDeleted { path },
        ) => check_path("event_type.path", path),
        _ => Ok(()),
    }
}

/// Paths are relative to the vault and stay inside it.
fn check_path(field: &'static str, path: &str) -> Result<(), RouteError> {
    if path.is_empty() {
        return invalid(field, "it is empty");
    }
    if path.len() > PATH_BYTES_MAX {
        return invalid(field, format!("it is longer than {PATH_BYTES_MAX} bytes"));
    }
    if path.starts_with('/') {
        return invalid(field, "it is absolute; give it relative to the vault");
    }
    if path.split('/').any(|part| part == "..") {
        return invalid(field, "it leads out of the vault (..)");
    }
    if path.contains('\0') {
        return invalid(field, "it has a NUL byte");
    }
    Ok(())
}

/// Adds up bytes and stops at the limit, so that measuring a huge payload costs no more than that.
struct Size {
    bytes: usize,
    max: usize,
}

impl Size {
    fn add(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.max {
            return Err(format!("it is larger than {} bytes", self.max));
        }
        Ok(())
    }

    fn add_payload(&mut self, payload: &EventPayload) -> Result<(), String> {
        match payload {
            EventPayload::Text(text) => self.add(text.len()),
            EventPayload::Binary(bytes) => self.add(bytes.len()),
            EventPayload::Json(value) => self.add_json(value, 0),
        }
    }

    fn add_json(&mut self, value: &Value, depth: u8) -> Result<(), String> {
        if depth >= NESTING_MAX {
            return Err(format!("it is nested deeper than {NESTING_MAX}"));
        }
        match value {
            Value::Null | Value::Bool(_) => self.add(5),
            Value::Number(_) => self.add(8),
            Value::String(text) => self.add(text.len() + 2),
            Value::Array(values) => {
                self.add(values.len() + 2)?;
                values
                    .iter()
                    .try_for_each(|value| self.add_json(value, depth + 1))
            }
            Value::Object(members) => {
                self.add(2)?;
                members.iter().try_for_each(|(name, value)| {
                    self.add(name.len() + 4)?;
                    self.add_json(value, depth + 1)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{EventSource, SystemEventType};

    fn event() -> DaemonEvent {
        DaemonEvent::new(
            EventType::Custom {
                name: "test".to_owned(),
            },
            EventSource::manual("somebody"),
            EventPayload::text("x"),
        )
    }

    fn path(path: &str) -> DaemonEvent {
        let path = path.to_owned();
        DaemonEvent {
            event_type: EventType::Filesystem(FilesystemEventType::FileCreated { path }),
            ..event()
        }
    }

    fn check_fault(event: &DaemonEvent, expected: Option<&str>) {
        let fault = match check(event, &RoutingConfig::default()) {
            Ok(_) => None,
            Err(RouteError::Invalid { field, .. }) => Some(field),
            Err(RouteError::Closed) => panic!("not a matter of validation"),
        };
        assert_eq!(fault, expected, "{event:?}");
    }

    #[test]
    fn the_field_at_fault_is_named() {
        check_fault(&event(), None);
        let nameless = EventType::Custom {
            name: " ".to_owned(),
        };
        let nameless = DaemonEvent {
            event_type: nameless,
            ..event()
        };
        check_fault(&nameless, Some("event_type.name"));
        let source = EventSource::manual("");
        check_fault(&DaemonEvent { source, ..event() }, Some("source.id"));
    }

    #[test]
    fn paths_stay_inside_the_vault() {
        check_fault(&path("a/b..c/日本 .md"), None);
        for outside in ["", "/etc/passwd", "a/../../b", "..", "a\0b"] {
            check_fault(&path(outside), Some("event_type.path"));
        }
    }

    #[test]
    fn payloads_are_bounded_in_bytes_and_in_depth() {
        let payload = EventPayload::text("x".repeat(10 * 1024 * 1024 + 1));
        check_fault(&DaemonEvent { payload, ..event() }, Some("payload"));
        let payload = EventPayload::json(serde_json::json!(["y".repeat(10 * 1024 * 1024)]));
        check_fault(&DaemonEvent { payload, ..event() }, Some("payload"));
        let mut nested = Value::Null;
        for _ in 0..200 {
            nested = Value::Array(vec![nested]);
        }
        let payload = EventPayload::json(nested);
        check_fault(&DaemonEvent { payload, ..event() }, Some("payload"));
    }

    #[test]
    fn endless_chains_of_causes_end() {
        let mut last = event();
        for _ in 0..16 {
            last = event().caused_by(&last);
        }
        check_fault(&last, None);
        check_fault(&event().caused_by(&last), Some("metadata.depth"));
    }

    #[test]
    fn other_types_need_nothing() {
        let event_type = EventType::System(SystemEventType::DaemonStarted {
            version: String::new(),
        });
        check_fault(
            &DaemonEvent {
                event_type,
                ..event()
            },
            None,
        );
    }
}
