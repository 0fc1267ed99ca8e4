//! The place of one instance: its mailbox, its gate and its counters.
//!
//! A slot outlives every run of its service. The gate says whether the delivery task may take
//! mail out; the mailbox says whether tellers may put mail in. The two are independent: a service
//! that is started again takes nothing out and keeps accepting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use super::config::Overflow;
use super::delivery::Fault;
use super::mailbox::{Mailbox, Push};
use super::stats::{Counters, InstanceStats};
use crate::events::DaemonEvent;
use crate::ids::InstanceId;
use crate::service_traits::ServiceLifecycle;

/// What the delivery task may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Finish the event in hand, then rest.
    Paused,
    /// Deliver.
    Open,
    /// Let go of the event in hand, then rest.
    Cut,
    /// Let go of the event in hand and end.
    Ended,
}

/// The place of one instance.
pub(super) struct Slot {
    id: InstanceId,
    pub(super) service: Arc<dyn ServiceLifecycle>,
    pub(super) mailbox: Mailbox,
    gate: watch::Sender<Gate>,
    /// Whether the gate is open; an atomic, since tellers look at it.
    is_open: AtomicBool,
    pub(super) counters: Counters,
    pub(super) faults: mpsc::Sender<Fault>,
    pub(super) handle_deadline_ms: AtomicU64,
    rest: Rest,
}

/// Whether the delivery task rests, and who waits for that.
#[derive(Debug)]
struct Rest {
    is_resting: AtomicBool,
    watchers: AtomicUsize,
    changed: Notify,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("id", &self.id)
            .field("gate", &*self.gate.borrow())
            .finish_non_exhaustive()
    }
}

impl Slot {
    pub(super) fn new(
        id: InstanceId,
        service: Arc<dyn ServiceLifecycle>,
        faults: mpsc::Sender<Fault>,
        lane_max: usize,
        handle_deadline_ms: u64,
    ) -> Self {
        Self {
            id,
            service,
            mailbox: Mailbox::new(lane_max),
            gate: watch::Sender::new(Gate::Paused),
            is_open: AtomicBool::new(false),
            counters: Counters::default(),
            faults,
            handle_deadline_ms: AtomicU64::new(handle_deadline_ms),
            rest: Rest {
                is_resting: AtomicBool::new(true),
                watchers: AtomicUsize::new(0),
                changed: Notify::new(),
            },
        }
    }

    pub(super) const fn id(&self) -> &InstanceId {
        &self.id
    }

    pub(super) fn is_delivering(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Tells the delivery task what it may do.
    pub(super) fn set_gate(&self, gate: Gate) {
        self.is_open.store(gate == Gate::Open, Ordering::Relaxed);
        let _before = self.gate.send_replace(gate);
    }

    pub(super) fn watch_gate(&self) -> watch::Receiver<Gate> {
        self.gate.subscribe()
    }

    /// Returns how many events wait or are being handled.
    pub(super) fn load(&self) -> usize {
        let in_hand = usize::from(!self.rest.is_resting.load(Ordering::Relaxed));
        self.mailbox.len() + in_hand
    }

    /// Puts the event in, or drops the oldest for it; never waits.
    pub(super) fn offer(&self, event: Arc<DaemonEvent>, overflow: Overflow) -> Push {
        match overflow {
            Overflow::DropOldest => self.mailbox.push_out(event),
            Overflow::Reject | Overflow::Wait { .. } => self.mailbox.push(event),
        }
    }

    /// Puts the event in as soon as there is room, and counts what came of it.
    pub(super) async fn wait_for_room(&self, event: Arc<DaemonEvent>, deadline: Duration) -> Push {
        let push = self.mailbox.push_wait(event, deadline).await;
        self.count(&push);
        push
    }

    pub(super) fn count(&self, push: &Push) {
        match push {
            Push::Accepted { dropped } => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                if *dropped > 0 {
                    self.counters.dropped.fetch_add(*dropped, Ordering::Relaxed);
                }
            }
            Push::Full | Push::Closed => self.count_rejected(),
        }
    }

    pub(super) fn count_rejected(&self) {
        self.counters.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Says that the delivery task rests, or no longer does.
    pub(super) fn set_resting(&self, is_resting: bool) {
        self.rest.is_resting.store(is_resting, Ordering::SeqCst);
        if is_resting && self.rest.watchers.load(Ordering::SeqCst) > 0 {
            self.rest.changed.notify_waiters();
        }
    }

    /// Waits until the delivery task rests and `also` holds, at most `deadline`; says whether.
    pub(super) async fn rested(&self, deadline: Duration, also: impl Fn(&Self) -> bool) -> bool {
        self.rest.watchers.fetch_add(1, Ordering::SeqCst);
        let _watching = WatchingGuard(&self.rest.watchers);
        let wait = async {
            loop {
                let mut changed = std::pin::pin!(self.rest.changed.notified());
                changed.as_mut().enable();
                if self.rest.is_resting.load(Ordering::SeqCst) && also(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(deadline, wait).await.is_ok()
    }

    /// Throws away what is in the closed mailbox and counts it as dropped.
    pub(super) async fn discard(&self) -> u64 {
        let count = self.mailbox.discard().await;
        self.counters.dropped.fetch_add(count, Ordering::Relaxed);
        count
    }

    pub(super) fn stats(&self) -> InstanceStats {
        self.counters
            .snapshot(self.id.number, self.mailbox.len(), self.is_delivering())
    }
}

struct WatchingGuard<'a>(&'a AtomicUsize);

impl Drop for WatchingGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
