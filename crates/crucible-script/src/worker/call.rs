//! One call: what the worker asks for while it runs, and how it is stopped.

use std::time::Duration;

use crucible_services::script::Error;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::account::Account;
use super::process::Broken;
use super::{CallDone, CallSpec, HostCalls, Worker, name_of};
use crate::protocol::{
    Call, Fault, FromWorker, HostError, Limit, ToWorker, Used, VALUE_DEPTH_MAX, encode, is_too_deep,
};

/// How long a worker may take to stop by itself before it is killed.
const GRACE: Duration = Duration::from_millis(250);

/// How a call ended.
enum Ended {
    /// In order, as far as the worker is concerned.
    Done(Result<Value, Fault>, Used),
    /// It went over a limit that the daemon counts, and is still running.
    Over(Limit),
}

impl Worker {
    /// Calls a function; a script that the worker does not hold is loaded first.
    ///
    /// When the budget's time is up the worker is told to stop, and killed 250 ms later. After
    /// that, as after anything else that the worker did not survive, [`Worker::is_usable`] is
    /// false.
    ///
    /// # Errors
    /// [`Error::Compile`] when the script does not compile, [`Error::Stopped`] with the limit when
    /// it went over its budget, [`Error::Failed`] when it failed or took the worker with it.
    pub async fn call(&mut self, spec: CallSpec, host: &dyn HostCalls) -> Result<CallDone, Error> {
        if !self.holds(&spec.script)
            && let Some(fault) = self.load(&spec.script).await?.fault()
        {
            return Err(fault);
        }
        if spec.arguments.iter().any(is_too_deep) {
            let cause = format!("an argument is nested deeper than {VALUE_DEPTH_MAX}");
            return Err(Error::Failed(cause));
        }
        self.calls += 1;
        let call = self.calls;
        let during = format!("while {}::{} ran", spec.script.script, spec.function);
        let budget = spec.budget;
        let message = ToWorker::Call(Call {
            call,
            script: spec.script.script.clone(),
            function: spec.function,
            arguments: spec.arguments,
            budget,
        });
        let frame = encode(&message)
            .map_err(|error| Error::Failed(format!("the arguments are too large: {error}")))?;
        if !self.is_usable() {
            return Err(self.fail(Broken::Ended, &during).await);
        }

        self.engaged = true;
        let began = Instant::now();
        let mut account = Account::new(&budget);
        let conversation = self.converse(call, &frame, host, &mut account);
        match timeout_at(began + budget.wall, conversation).await {
            Ok(Ok(Ended::Done(outcome, used))) => {
                self.engaged = false;
                let took = began.elapsed();
                outcome
                    .map(|value| CallDone { value, used, took })
                    .map_err(error_of)
            }
            Ok(Ok(Ended::Over(limit))) => {
                self.end_now(&format!("it went over its {} budget", limit.as_str()));
                Err(stopped(limit))
            }
            Ok(Err(broken)) => Err(self.fail(broken, &during).await),
            Err(_) => {
                self.stop(call).await;
                Err(stopped(Limit::Time))
            }
        }
    }

    /// Sends a call and answers what the script asks for until it ends.
    async fn converse(
        &mut self,
        call: u64,
        frame: &[u8],
        host: &dyn HostCalls,
        account: &mut Account,
    ) -> Result<Ended, Broken> {
        self.process.send(frame).await?;
        loop {
            let (message, frame_bytes) = self.process.next().await?;
            let counted = match message {
                FromWorker::Done {
                    call: of,
                    outcome,
                    used,
                } if of == call => {
                    return Ok(match account.done(frame_bytes) {
                        Err(limit) => Ended::Done(Err(Fault::Stopped { limit }), used),
                        Ok(()) => Ended::Done(outcome, used),
                    });
                }
                FromWorker::Log {
                    call: of,
                    level,
                    message,
                } if of == call => {
                    let counted = account.log(&message);
                    if counted.is_ok() {
                        host.log(level, &message);
                    }
                    counted
                }
                FromWorker::HostCall {
                    call: of,
                    id,
                    name,
                    arguments,
                } if of == call => match account.host_call() {
                    Ok(()) => {
                        let answer = host.host_call(&name, arguments).await;
                        self.process.send(&answer_frame(id, answer)?).await?;
                        Ok(())
                    }
                    over => over,
                },
                other => {
                    let garbage = format!("a {} out of order", name_of(&other));
                    return Err(Broken::Garbage(garbage));
                }
            };
            if let Err(limit) = counted {
                return Ok(Ended::Over(limit));
            }
        }
    }

    /// Tells a worker to stop a call; kills it when it has not stopped after the grace.
    async fn stop(&mut self, call: u64) {
        let ended = Instant::now() + GRACE;
        let stopping = async {
            if self.process.is_spoilt() {
                return false;
            }
            if self.process.say(&ToWorker::Cancel { call }).await.is_err() {
                return false;
            }
            while let Ok((message, _)) = self.process.next().await {
                if matches!(message, FromWorker::Done { call: of, .. } if of == call) {
                    return true;
                }
            }
            false
        };
        if timeout_at(ended, stopping).await == Ok(true) {
            self.engaged = false;
        } else {
            self.end_now("it did not stop when the time of its call was up");
        }
    }
}

/// Returns the frame of an answer; what is too long for one becomes an error for the script.
fn answer_frame(id: u64, answer: Result<Value, HostError>) -> Result<Vec<u8>, Broken> {
    let answer = match answer {
        Ok(value) if is_too_deep(&value) => Err(HostError::new(
            "too_large",
            format!("the answer is nested deeper than {VALUE_DEPTH_MAX}"),
        )),
        other => other,
    };
    encode(&ToWorker::HostAnswer { id, answer }).or_else(|error| {
        let refused = HostError::new("too_large", format!("the answer is too large: {error}"));
        Ok(encode(&ToWorker::HostAnswer {
            id,
            answer: Err(refused),
        })?)
    })
}

fn stopped(limit: Limit) -> Error {
    Error::Stopped {
        limit: limit.as_str().to_owned(),
    }
}

fn error_of(fault: Fault) -> Error {
    match fault {
        Fault::Stopped { limit } => stopped(limit),
        Fault::NotCallable { message } | Fault::Failed { message } => Error::Failed(message),
    }
}
