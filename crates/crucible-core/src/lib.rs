//! The coordinator: registry, supervision, health and events for a set of services
