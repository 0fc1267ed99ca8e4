//! Cuts a stream of bytes into lines, and lines into server-sent events, piece by piece.
//!
//! Nothing is kept but the line, or the event, that is not whole yet, and that has a bound.
//! Lines end with `\n` or `\r\n`; no provider ends them with `\r` alone.

use std::collections::VecDeque;

/// The most bytes of one line, or of one event.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Why a stream cannot be cut. Messages read after "answered with ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncut {
    /// A line, or an event, is longer than the bound.
    #[error("a line of more than {0} bytes")]
    TooLong(usize),
    /// A line is not text.
    #[error("bytes that are not UTF-8")]
    NotText,
}

/// How a stream holds its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events (HTML Living Standard, section 9.2): the message is `data`.
    Events,
    /// One message a line.
    Lines,
}

/// Cuts one stream into messages.
#[derive(Debug)]
pub(crate) struct Cutter {
    framing: Framing,
    bytes_max: usize,
    /// What came since the last end of a line.
    rest: Vec<u8>,
    /// The `data` lines of the event that is not whole yet.
    data: Option<String>,
    ready: VecDeque<String>,
}

impl Cutter {
    pub(crate) const fn new(framing: Framing, bytes_max: usize) -> Self {
        Self {
            framing,
            bytes_max,
            rest: Vec::new(),
            data: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes; [`Cutter::next`] then returns the messages that are whole.
    ///
    /// # Errors
    /// When the stream cannot be cut; messages before that place are still returned.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Uncut> {
        let mut left = bytes;
        while let Some(at) = memchr::memchr(b'\n', left) {
            let (line, after) = left.split_at(at);
            left = &after[1..];
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                self.hold(line)?;
                let whole = std::mem::take(&mut self.rest);
                self.line(&whole)?;
            }
        }
        self.hold(left)
    }

    /// Returns the next message that is whole.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    /// Takes note that no more bytes come. A last line without its end still counts; an event
    /// without its end does not, as the standard says.
    ///
    /// # Errors
    /// When the last line is not text.
    pub(crate) fn close(&mut self) -> Result<(), Uncut> {
        let last = std::mem::take(&mut self.rest);
        match self.framing {
            Framing::Lines => self.line(&last),
            Framing::Events => Ok(()),
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Uncut> {
        if self.rest.len() + bytes.len() > self.bytes_max {
            return Err(Uncut::TooLong(self.bytes_max));
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Uncut> {
        if line.len() > self.bytes_max {
            return Err(Uncut::TooLong(self.bytes_max));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| Uncut::NotText)?;
        match self.framing {
            Framing::Lines if line.trim().is_empty() => {}
            Framing::Lines => self.ready.push_back(line.to_owned()),
            Framing::Events if line.is_empty() => self.ready.extend(self.data.take()),
            Framing::Events => self.field(line)?,
        }
        Ok(())
    }

    /// Reads one field of an event; comments and fields other than `data` say nothing here.
    fn field(&mut self, line: &str) -> Result<(), Uncut> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name != "data" {
            return Ok(());
        }
        let value = value.strip_prefix(' ').unwrap_or(value);
        match &mut self.data {
            None => self.data = Some(value.to_owned()),
            Some(data) if data.len() + value.len() < self.bytes_max => {
                data.push('\n');
                data.push_str(value);
            }
            Some(_) => return Err(Uncut::TooLong(self.bytes_max)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `text`, handed over `step` bytes at a time.
    fn cut(framing: Framing, text: &[u8], step: usize) -> Result<Vec<String>, Uncut> {
        let mut cutter = Cutter::new(framing, 64);
        let mut messages = Vec::new();
        for chunk in text.chunks(step) {
            cutter.push(chunk)?;
            messages.extend(std::iter::from_fn(|| cutter.next()));
        }
        cutter.close()?;
        messages.extend(std::iter::from_fn(|| cutter.next()));
        Ok(messages)
    }

    fn check(framing: Framing, text: &str, expected: &[&str]) {
        for step in 1..=text.len().max(1) {
            let messages = cut(framing, text.as_bytes(), step).unwrap();
            assert_eq!(messages, expected, "in steps of {step}");
        }
    }

    #[test]
    fn events_are_the_same_wherever_the_stream_is_split() {
        check(
            Framing::Events,
            ": comment\nevent: x\ndata: one 🥖\nid: 7\n\ndata:two\ndata: lines\r\n\r\nretry: 3\n\ndata\n\n",
            &["one 🥖", "two\nlines", ""],
        );
    }

    #[test]
    fn event_without_its_end_is_dropped_and_a_last_line_is_not() {
        check(Framing::Events, "data: a\n\ndata: b\n", &["a"]);
        check(
            Framing::Lines,
            "{\"a\":1}\r\n\n{\"b\":2}",
            &["{\"a\":1}", "{\"b\":2}"],
        );
    }

    #[test]
    fn line_over_the_bound_is_refused_however_it_comes() {
        let long = format!("data: {}\n\n", "x".repeat(100));
        for step in [1, 7, 200] {
            let cut = cut(Framing::Events, long.as_bytes(), step);
            assert_eq!(cut, Err(Uncut::TooLong(64)), "in steps of {step}");
        }
        let many = "data: 123456789\n".repeat(100);
        assert_eq!(
            cut(Framing::Events, many.as_bytes(), 16),
            Err(Uncut::TooLong(64))
        );
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(cut(Framing::Lines, b"\xff\xfe\n", 1), Err(Uncut::NotText));
    }
}
