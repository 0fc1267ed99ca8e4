//! HTTP access: REST, event stream and a client for both
