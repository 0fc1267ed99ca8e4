//! The composition root: configuration to services to core to API
