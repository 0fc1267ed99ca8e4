//! The gateway from outside: a small vault in memory behind it, raw messages in front of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_lines;
mod conform;
mod following;
mod http;
mod http_legacy;
mod legacy;
mod lifecycle;
mod modern;
mod reading;
mod tools;
mod vault;
mod wire;
mod writing;
