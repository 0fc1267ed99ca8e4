//! Events, in protobuf's shape.

use crucible_services::events::{
    DaemonEvent, EventCategory, EventFilter, EventPayload, EventPriority, EventType, ServiceTarget,
    SourceKind,
};
use crucible_services::ids::{InstanceId, ServiceName};

use super::proto;
use super::proto::event_payload::Data;
use super::proto::service_target::Target;
use super::values::{fields_of, kind, moment, twins};
use crate::error::{ApiError, Code};
use crate::params::invalid;
use crate::routes::events::{Delivered, NewEvent, Published, dotted};

twins!(told and taken EventCategory, Filesystem Database External Mcp Inference Script Service System Custom);
twins!(told and taken SourceKind, Filesystem System Service Database Mcp External Manual);
twins!(told and taken EventPriority, Low Normal High Critical);

/// Reads which events are wanted.
pub(super) fn filter(filter: proto::EventFilter) -> Result<EventFilter, ApiError> {
    let category = |number| proto::EventCategory::try_from(number).ok()?.ours();
    let source = |number| proto::SourceKind::try_from(number).ok()?.ours();
    Ok(EventFilter {
        categories: each("categories", filter.categories, category)?,
        types: dotted(filter.types)?,
        sources: each("sources", filter.sources, source)?,
        priority_min: None,
    })
}

fn each<T>(
    field: &str,
    numbers: Vec<i32>,
    read: impl Fn(i32) -> Option<T>,
) -> Result<Vec<T>, ApiError> {
    let numbers = numbers.into_iter();
    numbers
        .map(|number| {
            read(number).ok_or_else(|| invalid(field, format!("{number} is none that there is")))
        })
        .collect()
}

/// Reads an event that is to be told.
pub(super) fn new_event(asked: proto::PublishRequest) -> Result<NewEvent, ApiError> {
    let priority = proto::EventPriority::try_from(asked.priority)
        .map_err(|_| unreadable(format!("{} is no priority", asked.priority)))?;
    Ok(NewEvent {
        name: asked.name,
        payload: payload(asked.payload)?,
        targets: asked
            .targets
            .into_iter()
            .map(target)
            .collect::<Result<_, _>>()?,
        priority: priority.ours(),
        ordering_key: asked.ordering_key,
        labels: asked.labels,
    })
}

fn unreadable(what: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        Code::InvalidBody,
        format!("the event cannot be read: {what}"),
    )
    .hint("crucible/v1/events.proto says what it holds")
}

fn payload(asked: Option<proto::EventPayload>) -> Result<Option<EventPayload>, ApiError> {
    Ok(match asked.and_then(|payload| payload.data) {
        None => None,
        Some(Data::Text(text)) => Some(EventPayload::Text(text)),
        Some(Data::Binary(bytes)) => Some(EventPayload::binary(bytes)),
        Some(Data::Json(text)) => {
            let json = serde_json::from_str(&text);
            let json = json.map_err(|error| unreadable(format!("payload.json: {error}")))?;
            Some(EventPayload::Json(json))
        }
    })
}

fn target(asked: proto::ServiceTarget) -> Result<ServiceTarget, ApiError> {
    Ok(match asked.target {
        Some(Target::Service(name)) => ServiceTarget::new(name),
        Some(Target::Kind(name)) => ServiceTarget::Kind(kind(&name)),
        Some(Target::Instance(instance)) => ServiceTarget::Instance(InstanceId {
            service: ServiceName::new(instance.service),
            number: instance.number,
        }),
        None => return Err(unreadable("a target names nobody")),
    })
}

impl From<Published> for proto::PublishResponse {
    fn from(published: Published) -> Self {
        Self {
            id: published.id.to_string(),
            correlation_id: published.correlation_id.to_string(),
            accepted: u64::try_from(published.accepted).unwrap_or(u64::MAX),
            deliveries: published.deliveries.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Delivered> for proto::Delivered {
    fn from(delivered: Delivered) -> Self {
        Self {
            service: delivered.service,
            instance: delivered.instance,
            refused: delivered.refused,
        }
    }
}

impl From<&DaemonEvent> for proto::Event {
    fn from(event: &DaemonEvent) -> Self {
        Self {
            id: event.id.to_string(),
            timestamp: Some(moment(event.timestamp)),
            event_type: Some((&event.event_type).into()),
            source: Some(proto::EventSource {
                kind: proto::SourceKind::from(event.source.kind).into(),
                id: event.source.id.clone(),
            }),
            payload: Some((&event.payload).into()),
            targets: event.targets.iter().map(Into::into).collect(),
            priority: proto::EventPriority::from(event.priority).into(),
            metadata: Some(proto::EventMetadata {
                correlation_id: event.metadata.correlation_id.to_string(),
                causation_id: event.metadata.causation_id.map(|id| id.to_string()),
                depth: u32::from(event.metadata.depth),
                ordering_key: event.metadata.ordering_key.clone(),
                labels: event.metadata.labels.clone(),
            }),
        }
    }
}

impl From<&EventType> for proto::EventType {
    fn from(event: &EventType) -> Self {
        let mut fields = match (event, serde_json::to_value(event)) {
            // Its name says all.
            (EventType::Custom { .. }, _) => serde_json::Map::new(),
            (_, Ok(serde_json::Value::Object(fields))) => fields,
            (_, odd) => {
                tracing::error!(?odd, "the type of an event is no object");
                serde_json::Map::new()
            }
        };
        fields.remove("category");
        fields.remove("type");
        Self {
            category: proto::EventCategory::from(event.category()).into(),
            name: event.name().into_owned(),
            fields: Some(fields_of(fields)),
        }
    }
}

impl From<&EventPayload> for proto::EventPayload {
    fn from(payload: &EventPayload) -> Self {
        Self {
            data: Some(match payload {
                EventPayload::Text(text) => Data::Text(text.clone()),
                EventPayload::Json(json) => Data::Json(json.to_string()),
                EventPayload::Binary(bytes) => Data::Binary(bytes.to_vec()),
            }),
        }
    }
}

impl From<&ServiceTarget> for proto::ServiceTarget {
    fn from(target: &ServiceTarget) -> Self {
        Self {
            target: Some(match target {
                ServiceTarget::Service(name) => Target::Service(name.to_string()),
                ServiceTarget::Kind(kind) => Target::Kind(kind.to_string()),
                ServiceTarget::Instance(instance) => Target::Instance(proto::InstanceId {
                    service: instance.service.to_string(),
                    number: instance.number,
                }),
            }),
        }
    }
}
