//! `events.emit`: events in the script's own name, following their cause, within bounds.

use crucible_services::events::{DaemonEvent, EventPayload, EventSource, EventType};
use serde_json::{Value, json};
use std::sync::PoisonError;
use tokio::time::Instant;

use super::{Answer, Broker};
use crate::capability::Capability;
use crate::protocol::HostError;

/// The largest payload, in bytes as JSON.
const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;

impl Broker {
    pub(super) async fn emit(&self, name: String, payload: Value) -> Answer {
        let own = format!("custom.{}.", self.visit.script);
        let is_own = name.strip_prefix(&own).is_some_and(|rest| !rest.is_empty());
        if !is_own || name.len() > NAME_BYTES_MAX {
            let message = format!(
                "the event's name must begin with {own:?} and have at most {NAME_BYTES_MAX} bytes"
            );
            return Err(HostError::new("invalid", message));
        }
        if !self.visit.scopes.may_emit(&name) {
            return Err(self.deny(Capability::EventsEmit(name)).await);
        }
        let depth = self
            .visit
            .cause
            .map_or(0, |cause| cause.depth.saturating_add(1));
        let causes_max = self.desk.config.causes_max;
        if depth > causes_max {
            let message = format!(
                "the chain of causes is longer than {causes_max}; scripts probably answer each \
                 other's events without end"
            );
            return Err(HostError::new("invalid", message));
        }
        if payload.to_string().len() > PAYLOAD_BYTES_MAX {
            let message = format!("the payload is larger than {PAYLOAD_BYTES_MAX} bytes");
            return Err(HostError::new("invalid", message));
        }
        if self.is_rehearsal(|| format!("tell the event {name}")) {
            return Ok(Value::Null);
        }
        self.take_turn()?;
        let short = name.trim_start_matches("custom.").to_owned();
        let event = DaemonEvent::new(
            EventType::Custom { name: short },
            EventSource::service("scripts"),
            EventPayload::json(payload),
        )
        .with_label("script", &self.visit.script);
        let event = match &self.visit.cause {
            Some(cause) => event.following(cause),
            None => event,
        };
        let id = event.id.to_string();
        let Some(context) = &self.desk.context else {
            return Ok(json!(id));
        };
        match context.events.publish(event).await {
            Ok(_receipt) => Ok(json!(id)),
            Err(error) => Err(HostError::new(
                "failed",
                format!("the event was not taken: {error}"),
            )),
        }
    }

    fn take_turn(&self) -> Result<(), HostError> {
        let mut emits = self
            .visit
            .emits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if emits.take(Instant::now()) {
            return Ok(());
        }
        let per_minute = self.desk.config.emits_per_minute;
        Err(HostError::new(
            "unavailable",
            format!("the script has told {per_minute} events within a minute; try again later"),
        ))
    }
}
