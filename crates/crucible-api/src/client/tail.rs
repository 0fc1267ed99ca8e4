//! Events as they come, read from a stream (HTML Living Standard, section 9.2.5).

use std::collections::VecDeque;
use std::time::Duration;

use crucible_services::events::DaemonEvent;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;

use super::Error;
use super::http::Http;

/// How long a stream may be silent; the daemon sends a comment every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The longest line, in bytes: the largest payload as JSON, in base64, and some room.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Events as they come.
#[derive(Debug)]
pub struct EventTail {
    body: Incoming,
    http: Http,
    lines: Lines,
    ready: VecDeque<Told>,
    is_over: bool,
}

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An event.
    Event(Box<DaemonEvent>),
    /// Events were left out because this reader was too slow; `None` when nobody knows how many.
    Missed(Option<u64>),
}

impl EventTail {
    pub(super) fn new(body: Incoming, http: Http) -> Self {
        Self {
            body,
            http,
            lines: Lines::default(),
            ready: VecDeque::new(),
            is_over: false,
        }
    }

    /// Returns what is told next; `None` when the daemon has closed the stream.
    ///
    /// # Errors
    /// When the stream breaks off or falls silent.
    pub async fn next(&mut self) -> Option<Result<Told, Error>> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(Ok(told));
            }
            if self.is_over {
                return None;
            }
            match self.more().await {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Reads on; false at the end.
    async fn more(&mut self) -> Result<bool, Error> {
        let broke_off = |what: &dyn std::fmt::Display| Error::Unreachable {
            reason: format!(
                "the stream of events of {} broke off ({what})",
                self.http.address
            ),
        };
        let frame = match tokio::time::timeout(SILENCE_MAX, self.body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(broke_off(&error)),
            Ok(None) => return Ok(false),
            Err(_elapsed) => return Err(broke_off(&"silence")),
        };
        let Ok(bytes) = frame.into_data() else {
            return Ok(true);
        };
        let messages = self
            .lines
            .push(&bytes)
            .map_err(|reason| broke_off(&reason))?;
        for message in messages {
            let told = message.read();
            let told = told.map_err(|error| self.http.not_understood(&error))?;
            self.ready.extend(told);
        }
        Ok(true)
    }
}

/// Cuts a stream into messages.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    message: Message,
}

/// One message, as its fields came.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    event: String,
    data: String,
}

impl Lines {
    /// Takes more bytes; returns the messages that are whole now.
    fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, &'static str> {
        let mut whole = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() == LINE_BYTES_MAX {
                    return Err("a line is too long");
                }
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                let message = std::mem::take(&mut self.message);
                if message != Message::default() {
                    whole.push(message);
                }
            } else {
                self.message.field(line);
            }
        }
        Ok(whole)
    }
}

impl Message {
    /// Takes a line that is not empty. Comments, `id` and `retry` are not needed.
    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
    }

    fn read(&self) -> serde_json::Result<Option<Told>> {
        #[derive(Deserialize)]
        struct Missed {
            count: Option<u64>,
        }
        match self.event.as_str() {
            "missed" => {
                let missed: Missed = serde_json::from_str(&self.data)?;
                Ok(Some(Told::Missed(missed.count)))
            }
            "" => serde_json::from_str(&self.data).map(|event| Some(Told::Event(event))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], expected: &[(&str, &str)]) {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(lines.push(piece.as_bytes()).unwrap());
        }
        let found: Vec<_> = found
            .iter()
            .map(|m| (m.event.as_str(), m.data.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn messages_are_cut_wherever_pieces_end() {
        check(&[": connected\nretry: 2000\n\n"], &[]);
        check(
            &["id: 7\nda", "ta: {\"a\"", ":1}\n", "\n"],
            &[("", "{\"a\":1}")],
        );
        check(
            &["event: missed\r\ndata: x\r\ndata: y\r\n\r\ndata:z\n\n"],
            &[("missed", "x\ny"), ("", "z")],
        );
        check(&["data: never ended"], &[]);
    }

    #[test]
    fn messages_say_what_was_told_or_are_refused() {
        let message = |event: &str, data: &str| Message {
            event: event.to_owned(),
            data: data.to_owned(),
        };
        let missed = message("missed", "{\"count\":3}").read().unwrap();
        assert_eq!(missed, Some(Told::Missed(Some(3))));
        let missed = message("missed", "{\"count\":null}").read().unwrap();
        assert_eq!(missed, Some(Told::Missed(None)));
        assert_eq!(message("other", "?").read().unwrap(), None);
        assert!(message("", "not json").read().is_err());
    }
}
