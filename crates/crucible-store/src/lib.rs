//! The Data Store service: facts, outbox, full text and links
