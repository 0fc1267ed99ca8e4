//! The composition root: daemons that start and stop, and commands that find their way to notes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod composition;
mod place;
