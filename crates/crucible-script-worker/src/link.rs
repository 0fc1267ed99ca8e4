//! What a running script and the daemon have to do with each other: host calls, log lines, the
//! budget for both, and the daemon's wish to stop.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crucible_script::protocol::{
    Call, Fault, FrameError, FromWorker, HostError, LOG_LINE_BYTES, Level, Limit, ToWorker, Used,
};
use crucible_services::script::Budget;
use serde_json::Value;

use crate::pipe::{Pipe, PipeError};

/// The call must not go on; why is kept in the [`Link`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop;

/// The connection to the daemon, shared by the host functions.
#[derive(Debug)]
pub(crate) struct Link {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pipe: Pipe,
    call: u64,
    host_calls: u64,
    host_calls_max: u64,
    output_bytes: u64,
    output_bytes_max: u64,
    stopped: Option<Limit>,
    broken: Option<PipeError>,
}

impl Link {
    pub(crate) const fn new(pipe: Pipe) -> Self {
        Self {
            state: Mutex::new(State {
                pipe,
                call: 0,
                host_calls: 0,
                host_calls_max: 0,
                output_bytes: 0,
                output_bytes_max: 0,
                stopped: None,
                broken: None,
            }),
        }
    }

    /// Waits for the next message, between calls.
    pub(crate) fn receive(&self) -> Result<ToWorker, PipeError> {
        let mut state = self.state();
        match state.broken.take() {
            Some(error) => Err(error),
            None => state.pipe.receive(),
        }
    }

    /// Sends a message.
    pub(crate) fn send(&self, message: &FromWorker) -> Result<(), PipeError> {
        self.state().pipe.send(message)
    }

    /// Begins to count for a call.
    pub(crate) fn begin(&self, call: u64, budget: &Budget) {
        let mut state = self.state();
        state.call = call;
        state.host_calls = 0;
        state.host_calls_max = budget.host_calls;
        state.output_bytes = 0;
        state.output_bytes_max = budget.output_bytes;
        state.stopped = None;
    }

    /// Tells the daemon how a call ended.
    pub(crate) fn finish(
        &self,
        call: &Call,
        outcome: Result<Value, Fault>,
        instructions: u64,
    ) -> Result<(), PipeError> {
        let mut state = self.state();
        if let Some(error) = state.broken.take() {
            return Err(error);
        }
        let used = Used {
            instructions,
            output_bytes: state.output_bytes,
            host_calls: state.host_calls,
        };
        let call = call.call;
        let done = |outcome| FromWorker::Done {
            call,
            outcome,
            used,
        };
        match state.pipe.send(&done(outcome)) {
            // The value fits its budget, but not a frame.
            Err(PipeError::Garbage(FrameError::TooLong { .. })) => {
                let limit = Limit::Output;
                state.pipe.send(&done(Err(Fault::Stopped { limit })))
            }
            sent => sent,
        }
    }

    /// Returns why the call was stopped.
    pub(crate) fn stopped(&self) -> Option<Limit> {
        self.state().stopped
    }

    /// Returns whether the daemon wants the call to stop, or is gone.
    pub(crate) fn must_stop(&self) -> bool {
        let mut state = self.state();
        if !state.is_over() && state.pipe.is_ready() && state.hear().is_some() {
            state.out_of_order();
        }
        state.is_over()
    }

    /// Takes `bytes` of output from the budget.
    pub(crate) fn output(&self, bytes: u64) -> Result<(), Stop> {
        self.state().output(bytes)
    }

    /// Returns how many bytes of output are left.
    pub(crate) fn output_left(&self) -> u64 {
        let state = self.state();
        state.output_bytes_max.saturating_sub(state.output_bytes)
    }

    /// Sends a log line.
    pub(crate) fn log(&self, level: Level, message: String) -> Result<(), Stop> {
        let mut state = self.state();
        state.output(message.len() as u64 + LOG_LINE_BYTES)?;
        let line = FromWorker::Log {
            call: state.call,
            level,
            message,
        };
        match state.pipe.send(&line) {
            Ok(()) => Ok(()),
            Err(PipeError::Garbage(_)) => state.stop(Limit::Output),
            Err(error) => state.break_off(error),
        }
    }

    /// Asks the daemon for something and waits for its answer.
    pub(crate) fn host_call(
        &self,
        name: &str,
        arguments: Vec<Value>,
    ) -> Result<Result<Value, HostError>, Stop> {
        let mut state = self.state();
        if state.is_over() {
            return Err(Stop);
        }
        if state.host_calls == state.host_calls_max {
            return state.stop(Limit::HostCalls);
        }
        state.host_calls += 1;
        let id = state.host_calls;
        let asked = FromWorker::HostCall {
            call: state.call,
            id,
            name: name.to_owned(),
            arguments,
        };
        match state.pipe.send(&asked) {
            Ok(()) => {}
            Err(PipeError::Garbage(error)) => {
                let refused = format!("the arguments of {name} are too large: {error}");
                return Ok(Err(HostError::new("too_large", refused)));
            }
            Err(error) => return state.break_off(error),
        }
        match state.hear() {
            Some(ToWorker::HostAnswer { id: of, answer }) if of == id => Ok(answer),
            Some(_) => {
                state.out_of_order();
                Err(Stop)
            }
            None => Err(Stop),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn is_over(&self) -> bool {
        self.stopped.is_some() || self.broken.is_some()
    }

    fn stop<T>(&mut self, limit: Limit) -> Result<T, Stop> {
        self.stopped.get_or_insert(limit);
        Err(Stop)
    }

    fn break_off<T>(&mut self, error: PipeError) -> Result<T, Stop> {
        self.broken.get_or_insert(error);
        Err(Stop)
    }

    fn output(&mut self, bytes: u64) -> Result<(), Stop> {
        if self.is_over() {
            return Err(Stop);
        }
        let bytes = self.output_bytes.saturating_add(bytes);
        if bytes > self.output_bytes_max {
            return self.stop(Limit::Output);
        }
        self.output_bytes = bytes;
        Ok(())
    }

    /// Takes the next message during a call; returns it when it is an answer.
    fn hear(&mut self) -> Option<ToWorker> {
        match self.pipe.receive() {
            Ok(answer @ ToWorker::HostAnswer { .. }) => return Some(answer),
            Ok(ToWorker::Cancel { call }) if call == self.call => {
                self.stopped.get_or_insert(Limit::Time);
            }
            Ok(_) => self.out_of_order(),
            Err(error) => {
                self.broken.get_or_insert(error);
            }
        }
        None
    }

    fn out_of_order(&mut self) {
        let error = std::io::Error::other("a message out of order during a call");
        self.broken.get_or_insert(PipeError::Io(error));
    }
}
