//! The task that takes mail out of one slot and has it handled.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::slot::{Gate, Slot};
use super::turn::Turn;
use crate::events::DaemonEvent;
use crate::ids::EventId;
use crate::service_traits::ServiceError;
use crate::tasks::panic_message;

/// How many events are handled before the task lets others run, even if no handler waits.
const BATCH_MAX: u32 = 64;

/// What a service did wrong with one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What sort of fault.
    pub kind: FaultKind,
    /// The event.
    pub event: EventId,
    /// The event's dotted name.
    pub event_name: String,
    /// What happened, in words.
    pub message: String,
}

/// The sorts of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The handler returned an error.
    Failed,
    /// The handler did not end within its deadline.
    TimedOut,
    /// The handler panicked.
    Panicked,
}

/// How handling one event ended.
enum Handled {
    Ok,
    Failed(ServiceError),
    TimedOut,
    Panicked(String),
    /// The gate was cut while the event was handled.
    LetGo,
}

/// Delivers until the gate says that it is over.
pub(super) async fn run(slot: Arc<Slot>) {
    let mut gate = slot.watch_gate();
    let mut turn = Turn::default();
    let mut in_batch = 0;
    loop {
        let now = *gate.borrow_and_update();
        match now {
            Gate::Open => {}
            Gate::Paused | Gate::Cut => {
                slot.set_resting(true);
                if gate.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Gate::Ended => {
                slot.set_resting(true);
                return;
            }
        }
        slot.set_resting(false);
        while !gate.has_changed().unwrap_or(true) {
            let Some(event) = slot.mailbox.pop(&mut turn) else {
                slot.set_resting(true);
                tokio::select! {
                    biased;
                    _changed = gate.changed() => gate.mark_changed(),
                    () = slot.mailbox.mail() => slot.set_resting(false),
                }
                in_batch = 0;
                continue;
            };
            deliver(&slot, &event, &gate).await;
            in_batch += 1;
            if in_batch >= BATCH_MAX {
                in_batch = 0;
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn deliver(slot: &Slot, event: &DaemonEvent, gate: &watch::Receiver<Gate>) {
    let begun = Instant::now();
    let handled = handle(slot, event, gate).await;
    let counters = &slot.counters;
    let (counter, fault) = match handled {
        Handled::Ok => (&counters.delivered, None),
        Handled::Failed(error) => {
            let fault = (FaultKind::Failed, error.to_string());
            (&counters.failed, Some(fault))
        }
        Handled::TimedOut => {
            let ms = slot.handle_deadline_ms.load(Ordering::Relaxed);
            let message = format!("did not end within {ms} ms");
            (&counters.timed_out, Some((FaultKind::TimedOut, message)))
        }
        Handled::Panicked(message) => (&counters.panicked, Some((FaultKind::Panicked, message))),
        Handled::LetGo => (&counters.let_go, None),
    };
    counters.timing.record(begun.elapsed());
    counters.note_streak(fault.is_none());
    counter.fetch_add(1, Ordering::Relaxed);
    if let Some((kind, message)) = fault {
        report(slot, event, kind, message);
    }
}

/// Tells the supervisor. A full queue loses the report, never the count.
fn report(slot: &Slot, event: &DaemonEvent, kind: FaultKind, message: String) {
    let event_name = event.event_type.name().into_owned();
    tracing::warn!(
        service.name = %slot.id().service,
        event.id = %event.id,
        event.name = event_name,
        fault = ?kind,
        error = message,
        "event was not handled"
    );
    let fault = Fault {
        kind,
        event: event.id,
        event_name,
        message,
    };
    if slot.faults.try_send(fault).is_err() {
        tracing::debug!(service.name = %slot.id().service, "report of a fault was lost");
    }
}

async fn handle(slot: &Slot, event: &DaemonEvent, gate: &watch::Receiver<Gate>) -> Handled {
    // Caught around everything: making the handler's future, polling it, and dropping it.
    match AssertUnwindSafe(attempt(slot, event, gate))
        .catch_unwind()
        .await
    {
        Ok(handled) => handled,
        Err(panic) => Handled::Panicked(panic_message(panic.as_ref()).to_owned()),
    }
}

async fn attempt(slot: &Slot, event: &DaemonEvent, gate: &watch::Receiver<Gate>) -> Handled {
    let mut work = slot.service.handle_event(event);
    // Most handlers end at the first poll; those need no timer.
    let result = match poll_once(work.as_mut()).await {
        Some(result) => result,
        None => {
            let deadline = Duration::from_millis(slot.handle_deadline_ms.load(Ordering::Relaxed));
            tokio::select! {
                biased;
                result = work => result,
                () = tokio::time::sleep(deadline) => return Handled::TimedOut,
                () = cut(gate.clone()) => return Handled::LetGo,
            }
        }
    };
    match result {
        Ok(()) => Handled::Ok,
        Err(error) => Handled::Failed(error),
    }
}

/// Waits until the event in hand must be let go.
async fn cut(mut gate: watch::Receiver<Gate>) {
    // An error means that the slot is gone, and with it whoever wants the event handled.
    let _seen = gate
        .wait_for(|gate| matches!(gate, Gate::Cut | Gate::Ended))
        .await
        .is_ok();
}

async fn poll_once<F: Future + ?Sized>(mut work: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match work.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
