//! The newest log lines of one script, in memory, within a bound.

use std::collections::VecDeque;

use crucible_services::clock;
use crucible_services::events::Cause;
use crucible_services::script::LogLine;

use crate::protocol::Level;

/// The longest line, in bytes; the rest is cut off.
const LINE_BYTES_MAX: usize = 4096;

/// Keeps the newest lines.
#[derive(Debug)]
pub(crate) struct LogRing {
    lines: VecDeque<LogLine>,
    lines_max: usize,
}

impl LogRing {
    pub(crate) fn new(lines_max: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            lines_max: lines_max.max(1),
        }
    }

    pub(crate) fn push(&mut self, line: LogLine) {
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Returns the newest lines, oldest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<LogLine> {
        let skip = self.lines.len().saturating_sub(limit);
        self.lines.iter().skip(skip).cloned().collect()
    }
}

/// Makes a line of now.
pub(crate) fn line(level: Level, function: &str, message: &str, cause: Option<&Cause>) -> LogLine {
    let mut end = message.len().min(LINE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    LogLine {
        at: clock::now(),
        level: level.as_str().to_owned(),
        function: function.to_owned(),
        message: message[..end].to_owned(),
        correlation_id: cause.map(|cause| cause.correlation_id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_line_goes_first_and_long_lines_are_cut() {
        let mut ring = LogRing::new(2);
        for message in ["a", "b", &"é".repeat(4096)] {
            ring.push(line(Level::Info, "f", message, None));
        }
        let lines = ring.newest(10);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].message, "b");
        assert_eq!(lines[1].message.len(), LINE_BYTES_MAX);
        assert_eq!(ring.newest(1)[0], lines[1]);
    }
}
