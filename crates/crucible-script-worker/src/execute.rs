//! One call of a function: its budget, its value, and why it has none.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use crucible_script::protocol::{Call, Fault, Limit, ScriptSource};
use crucible_services::script::Budget;
use rune::alloc::limit;
use rune::runtime::{GeneratorState, Value, VmError, VmExecution, VmResult, budget};
use rune::{Sources, Unit, Vm};
use serde_json::Value as Json;

use crate::compile::{Entry, line_and_column};
use crate::host::Refusal;
use crate::link::Link;
use crate::value::{ValueError, to_json, to_rune};

/// Instructions between two looks at whether the daemon wants the call to stop.
const SLICE: u64 = 500_000;
/// The most memory that a call can have, whatever its budget says; the process has little more.
const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How much of what a script says of its failure is told.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// What runs a call.
pub(crate) struct Execution<'a> {
    link: &'a Link,
    script: &'a ScriptSource,
    sources: &'a Sources,
    budget: Budget,
    instructions_left: u64,
}

impl<'a> Execution<'a> {
    pub(crate) const fn new(
        link: &'a Link,
        script: &'a ScriptSource,
        sources: &'a Sources,
        budget: Budget,
    ) -> Self {
        Self {
            link,
            script,
            sources,
            instructions_left: budget.instructions,
            budget,
        }
    }

    /// Returns how many instructions were used.
    pub(crate) const fn instructions(&self) -> u64 {
        self.budget.instructions - self.instructions_left
    }

    /// Runs a function to its end. Its memory is counted, arguments and value included.
    pub(crate) fn run(
        &mut self,
        vm: &mut Vm,
        function: &Entry,
        call: &mut Call,
    ) -> Result<Json, Fault> {
        let memory = self.budget.memory_bytes.min(MEMORY_BYTES_MAX);
        let memory = usize::try_from(memory).unwrap_or(usize::MAX);
        let arguments = std::mem::take(&mut call.arguments);
        let run = || {
            let value = self.evaluate(vm, function, arguments);
            let outcome = value.and_then(|value| self.json_of(&value));
            vm.clear();
            outcome
        };
        limit::with(memory, run).call()
    }

    fn evaluate(
        &mut self,
        vm: &mut Vm,
        function: &Entry,
        arguments: Vec<Json>,
    ) -> Result<Value, Fault> {
        let mut values = rune::alloc::Vec::new();
        for argument in arguments {
            let value = to_rune(argument).map_err(|error| self.fault(&VmError::from(error)))?;
            let pushed = values.try_push(value);
            pushed.map_err(|error| self.fault(&VmError::from(error)))?;
        }
        let mut execution = vm
            .execute(function.hash, values)
            .map_err(|error| self.fault(&error))?;
        if function.is_async {
            let body = async { execution.async_complete().await };
            return self.wait(body);
        }
        let value = self.resume(&mut execution)?;
        match value.clone().into_future() {
            Ok(future) => self.wait(future),
            Err(_) => Ok(value),
        }
    }

    /// Runs in slices, so that the daemon's wish to stop is heard.
    fn resume(&mut self, execution: &mut VmExecution<&mut Vm>) -> Result<Value, Fault> {
        loop {
            let slice = self.instructions_left.min(SLICE);
            let (state, all_used) = with_instructions(slice, || execution.resume());
            self.instructions_left -= slice;
            match state {
                VmResult::Ok(GeneratorState::Complete(value)) => return Ok(value),
                VmResult::Ok(GeneratorState::Yielded(_)) => {
                    let message = "a function that yields cannot be called from outside";
                    return Err(failed(message));
                }
                VmResult::Err(error) if all_used && is_limited(&error) => {
                    if self.link.must_stop() {
                        return Err(self.stopped_or(Limit::Time));
                    }
                    if self.instructions_left == 0 {
                        return Err(self.stopped_or(Limit::Instructions));
                    }
                }
                VmResult::Err(error) => return Err(self.fault(&error)),
            }
        }
    }

    /// Runs an async function's body. Host calls wait in place, so it never has to be woken. It
    /// is not run in slices: an inner future that was stopped between two cannot go on.
    fn wait(&mut self, future: impl Future<Output = VmResult<Value>>) -> Result<Value, Fault> {
        let mut future = pin!(future);
        let instructions = self.instructions_left;
        let mut context = TaskContext::from_waker(Waker::noop());
        let poll = || future.as_mut().poll(&mut context);
        let (polled, all_used) = with_instructions(instructions, poll);
        if all_used {
            self.instructions_left = 0;
        }
        match polled {
            Poll::Ready(VmResult::Ok(value)) => Ok(value),
            Poll::Ready(VmResult::Err(_)) if all_used => Err(self.stopped_or(Limit::Instructions)),
            Poll::Ready(VmResult::Err(error)) => Err(self.fault(&error)),
            Poll::Pending => Err(failed("an async function waits for what never comes")),
        }
    }

    /// Returns a value as JSON: that inside `Ok`; an `Err` is the call's failure.
    fn json_of(&self, value: &Value) -> Result<Json, Fault> {
        if let Ok(result) = value.borrow_ref::<Result<Value, Value>>() {
            return match &*result {
                Ok(inner) => self.json_of_plain(inner),
                Err(error) => Err(self.failure_of(error)),
            };
        }
        self.json_of_plain(value)
    }

    fn json_of_plain(&self, value: &Value) -> Result<Json, Fault> {
        match to_json(value, self.link.output_left()) {
            Ok((json, bytes)) => match self.link.output(bytes) {
                Ok(()) => Ok(json),
                Err(_) => Err(self.stopped_or(Limit::Output)),
            },
            Err(ValueError::TooLarge(_)) => Err(self.stopped_or(Limit::Output)),
            Err(error) => Err(failed(format!("the function's value: {error}"))),
        }
    }

    fn failure_of(&self, error: &Value) -> Fault {
        if let Ok(refusal) = error.borrow_ref::<Refusal>() {
            return failed(refusal.message());
        }
        match to_json(error, MESSAGE_BYTES_MAX as u64) {
            Ok((Json::String(text), _)) => failed(text),
            Ok((json, _)) => failed(json.to_string()),
            Err(error) => failed(format!("an error that cannot be told: {error}")),
        }
    }

    /// Says why the machine stopped.
    fn fault(&self, error: &VmError) -> Fault {
        if let Some(limit) = self.link.stopped() {
            return Fault::Stopped { limit };
        }
        let message = error.to_string();
        // The language's own allocator refused; its error has no name that can be matched.
        if message.starts_with("Failed to allocate") {
            let limit = Limit::Memory;
            return Fault::Stopped { limit };
        }
        failed(match self.place_of(error) {
            Some(place) => format!("{place}: {message}"),
            None => message,
        })
    }

    fn stopped_or(&self, limit: Limit) -> Fault {
        let limit = self.link.stopped().unwrap_or(limit);
        Fault::Stopped { limit }
    }

    fn place_of(&self, error: &VmError) -> Option<String> {
        let location = error.first_location()?;
        let instruction = instruction_of(&location.unit, location.ip)?;
        let source = self.sources.get(instruction.0)?;
        let text = self.script.files.get(source.name())?;
        let (line, _) = line_and_column(text, instruction.1);
        Some(format!("{}:{line}", source.name()))
    }
}

fn instruction_of(unit: &Unit, ip: usize) -> Option<(rune::SourceId, usize)> {
    let instruction = unit.debug_info()?.instruction_at(ip)?;
    Some((instruction.source_id, instruction.span.range().start))
}

/// Runs with a budget of instructions and returns whether it is used up.
fn with_instructions<T>(instructions: u64, run: impl FnOnce() -> T) -> (T, bool) {
    // The largest number stands for no limit.
    let instructions = usize::try_from(instructions).unwrap_or(usize::MAX - 1);
    budget::with(instructions.min(usize::MAX - 1), || {
        let outcome = run();
        (outcome, !budget::acquire().take())
    })
    .call()
}

/// The machine tells a used-up budget only in words.
fn is_limited(error: &VmError) -> bool {
    error.to_string().contains("`limited`")
}

fn failed(message: impl Into<String>) -> Fault {
    let mut message = message.into();
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push_str(" ..");
    }
    Fault::Failed { message }
}
