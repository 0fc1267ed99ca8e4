//! How the core tells what happens to services.
//!
//! Telling never waits: a supervisor must not be held up by a full mailbox. While routing is
//! closed (before the start, after the stop) only observers see the event.

use crucible_services::events::{
    DaemonEvent, EventPayload, EventPriority, EventSource, EventType, ServiceEventType,
    SystemEventType,
};
use crucible_services::health::{HealthStatus, ServiceHealth};
use crucible_services::router::Router;
use serde_json::json;

use crate::state::ServiceState;

/// Tells events in the core's name.
#[derive(Clone, Debug)]
pub(crate) struct Tell {
    router: Router,
}

impl Tell {
    pub(crate) const fn new(router: Router) -> Self {
        Self { router }
    }

    pub(crate) fn registered(&self, service: &str) {
        let service = service.to_owned();
        let event = ServiceEventType::ServiceRegistered { service };
        self.tell(event, EventPriority::Normal, json!({}));
    }

    pub(crate) fn unregistered(&self, service: &str) {
        let service = service.to_owned();
        let event = ServiceEventType::ServiceUnregistered { service };
        self.tell(event, EventPriority::Normal, json!({}));
    }

    pub(crate) fn status_changed(&self, service: &str, old: ServiceState, new: ServiceState) {
        let event = ServiceEventType::ServiceStatusChanged {
            service: service.to_owned(),
            old_status: old.as_str().to_owned(),
            new_status: new.as_str().to_owned(),
        };
        self.tell(event, EventPriority::Critical, json!({}));
    }

    pub(crate) fn failed(&self, service: &str, error: &str) {
        let event = ServiceEventType::ServiceFailed {
            service: service.to_owned(),
            error: error.to_owned(),
        };
        self.tell(event, EventPriority::Critical, json!({}));
    }

    pub(crate) fn health(&self, service: &str, verdict: HealthStatus, answer: &ServiceHealth) {
        let event = ServiceEventType::HealthCheck {
            service: service.to_owned(),
            status: verdict,
        };
        self.tell(event, EventPriority::Normal, json!({ "answer": answer }));
    }

    pub(crate) fn configured(&self, service: &str, changes: Vec<String>) {
        let event = ServiceEventType::ConfigurationChanged {
            service: service.to_owned(),
            changes,
        };
        self.tell(event, EventPriority::Normal, json!({}));
    }

    pub(crate) fn reloaded(&self, changes: Vec<String>) {
        let event = SystemEventType::ConfigurationReloaded { changes };
        self.send(EventType::System(event), EventPriority::Normal, json!({}));
    }

    fn tell(&self, event: ServiceEventType, priority: EventPriority, detail: serde_json::Value) {
        self.send(EventType::Service(event), priority, detail);
    }

    fn send(&self, event: EventType, priority: EventPriority, detail: serde_json::Value) {
        let event = DaemonEvent::new(
            event,
            EventSource::system("core"),
            EventPayload::json(detail),
        )
        .with_priority(priority);
        if !self.router.is_open() {
            self.router.show(event);
        } else if let Err(error) = self.router.offer(event) {
            tracing::debug!(%error, "event of the core was not routed");
        }
    }
}
