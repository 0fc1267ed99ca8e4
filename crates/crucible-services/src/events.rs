//! Facts that have happened, told as typed events.
//!
//! A [`DaemonEvent`] says what happened ([`EventType`]), who says so ([`EventSource`]), with what
//! detail ([`EventPayload`]), and, if it is not for everyone who subscribes, for whom
//! ([`ServiceTarget`]). An event is never a question: whoever needs an answer calls a trait of
//! [`crate::service_traits`].
//!
//! ```
//! use crucible_services::events::*;
//!
//! let event = DaemonEvent::new(
//!     EventType::Filesystem(FilesystemEventType::FileCreated { path: "Home.md".to_string() }),
//!     EventSource::filesystem("watcher".to_string()),
//!     EventPayload::text("File created".to_string()),
//! )
//! .with_target(ServiceTarget::new("mcp-gateway".to_string()));
//! assert_eq!(event.event_type.name(), "filesystem.file_created");
//! ```

mod event;
mod event_type;
mod filter;
mod payload;
mod publisher;
mod source;
mod target;

pub use event::{Cause, DaemonEvent, EventMetadata, EventPriority};
pub use event_type::{
    DatabaseEventType, EventCategory, EventType, ExternalEventType, FilesystemEventType,
    InferenceEventType, McpEventType, ScriptEventType, ServiceEventType, SystemEventType,
};
pub use filter::EventFilter;
pub use payload::EventPayload;
pub use publisher::EventPublisher;
pub use source::{EventSource, SourceKind};
pub use target::ServiceTarget;
