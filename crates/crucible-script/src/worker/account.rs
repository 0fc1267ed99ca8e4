//! What a call has used up, as the daemon counts it: a worker's own count is not trusted.

use crucible_services::script::Budget;

use crate::protocol::{LOG_LINE_BYTES, Limit};

/// What the frame of a value has around the value, in bytes.
const DONE_FRAME_BYTES: usize = 256;

/// Counts a call's output and host calls.
#[derive(Debug)]
pub(super) struct Account {
    output_bytes_left: u64,
    host_calls_left: u64,
}

impl Account {
    /// Opens an account of a budget.
    pub(super) const fn new(budget: &Budget) -> Self {
        Self {
            output_bytes_left: budget.output_bytes,
            host_calls_left: budget.host_calls,
        }
    }

    /// Takes a log line.
    pub(super) fn log(&mut self, message: &str) -> Result<(), Limit> {
        self.output(message.len() as u64 + LOG_LINE_BYTES)
    }

    /// Takes the frame that carries the value.
    pub(super) fn done(&mut self, frame_bytes: usize) -> Result<(), Limit> {
        self.output(frame_bytes.saturating_sub(DONE_FRAME_BYTES) as u64)
    }

    /// Takes a host call.
    pub(super) fn host_call(&mut self) -> Result<(), Limit> {
        let left = self.host_calls_left.checked_sub(1);
        self.host_calls_left = left.ok_or(Limit::HostCalls)?;
        Ok(())
    }

    fn output(&mut self, bytes: u64) -> Result<(), Limit> {
        let left = self.output_bytes_left.checked_sub(bytes);
        self.output_bytes_left = left.ok_or(Limit::Output)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_budget_names_its_limit() {
        let mut account = Account::new(&Budget {
            output_bytes: 2 * LOG_LINE_BYTES + 3,
            host_calls: 1,
            ..Budget::default()
        });
        assert_eq!(account.log("abc"), Ok(()));
        assert_eq!(account.log("a"), Err(Limit::Output));
        assert_eq!(account.host_call(), Ok(()));
        assert_eq!(account.host_call(), Err(Limit::HostCalls));
    }
}
