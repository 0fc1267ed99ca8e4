//! A bounded queue with four lanes, many tellers and one reader.
//!
//! Each lane has its own bound, so bulk can never take the room of control. A teller reserves a
//! place, looks whether the mailbox is closed, and then puts the event in; closing looks for
//! reserved places after it has set the flag. So every event that was accepted is either read or
//! found by [`Mailbox::discard`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_queue::SegQueue;
use tokio::sync::Notify;

use super::turn::{LANES, Turn};
use crate::events::{DaemonEvent, EventPriority};

/// What became of an event that was put into a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// It is in; `dropped` older ones made room.
    Accepted {
        /// How many.
        dropped: u64,
    },
    /// There was no room.
    Full,
    /// The mailbox is closed.
    Closed,
}

/// A bounded queue with four lanes.
#[derive(Debug)]
pub(super) struct Mailbox {
    lanes: [Lane; LANES],
    lane_max: AtomicUsize,
    is_closed: AtomicBool,
    /// Wakes the reader.
    mail: Notify,
}

#[derive(Debug, Default)]
struct Lane {
    queue: SegQueue<Arc<DaemonEvent>>,
    /// Places taken: events in the queue and places reserved by tellers.
    taken: AtomicUsize,
    waiting: AtomicUsize,
    /// Wakes tellers that wait for room.
    room: Notify,
}

/// Returns the index of the lane for a priority, lowest first.
pub(super) const fn lane_of(priority: EventPriority) -> usize {
    match priority {
        EventPriority::Low => 0,
        EventPriority::Normal => 1,
        EventPriority::High => 2,
        EventPriority::Critical => 3,
    }
}

impl Mailbox {
    /// Creates an open mailbox whose lanes hold up to `lane_max` events each.
    pub(super) fn new(lane_max: usize) -> Self {
        Self {
            lanes: Default::default(),
            lane_max: AtomicUsize::new(lane_max),
            is_closed: AtomicBool::new(false),
            mail: Notify::new(),
        }
    }

    /// Sets the bound of each lane. Events beyond a lower bound stay.
    pub(super) fn set_lane_max(&self, lane_max: usize) {
        self.lane_max.store(lane_max, Ordering::SeqCst);
        for lane in &self.lanes {
            lane.room.notify_waiters();
        }
    }

    /// Refuses new events and sends waiting tellers away; what is in stays.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for lane in &self.lanes {
            lane.room.notify_waiters();
        }
    }

    /// Accepts events again.
    pub(super) fn reopen(&self) {
        self.is_closed.store(false, Ordering::SeqCst);
    }

    /// Returns how many events are in, including those that are just being put in.
    pub(super) fn len(&self) -> usize {
        let taken = |lane: &Lane| lane.taken.load(Ordering::SeqCst);
        self.lanes.iter().map(taken).sum()
    }

    /// Puts the event in if there is room.
    pub(super) fn push(&self, event: Arc<DaemonEvent>) -> Push {
        let lane = &self.lanes[lane_of(event.priority)];
        if lane.reserve(self.lane_max.load(Ordering::SeqCst)) {
            self.fill(lane, event)
        } else if self.is_closed.load(Ordering::SeqCst) {
            Push::Closed
        } else {
            Push::Full
        }
    }

    /// Puts the event in; the oldest of the lane makes room if there is none.
    pub(super) fn push_out(&self, event: Arc<DaemonEvent>) -> Push {
        let lane = &self.lanes[lane_of(event.priority)];
        // The oldest may not be there yet when all places are only reserved: then another teller
        // is about to fill one, and looking again is enough. The bound of the loop is a safety
        // net: losing the race so often means a mailbox that is refilled all the time.
        for _ in 0..1_000 {
            if lane.reserve(self.lane_max.load(Ordering::SeqCst)) {
                return self.fill(lane, event);
            }
            if self.is_closed.load(Ordering::SeqCst) {
                return Push::Closed;
            }
            if lane.queue.pop().is_some() {
                // The place of the old one is taken over, so a close that happens now still
                // finds it taken and waits for it.
                lane.queue.push(event);
                self.mail.notify_one();
                return Push::Accepted { dropped: 1 };
            }
            std::hint::spin_loop();
        }
        Push::Full
    }

    /// Puts the event in as soon as there is room, at most after `deadline`.
    pub(super) async fn push_wait(&self, event: Arc<DaemonEvent>, deadline: Duration) -> Push {
        let lane = &self.lanes[lane_of(event.priority)];
        lane.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = WaitingGuard(&lane.waiting);
        let wait = async {
            loop {
                let mut room = std::pin::pin!(lane.room.notified());
                room.as_mut().enable();
                match self.push(Arc::clone(&event)) {
                    Push::Full => room.await,
                    push => return push,
                }
            }
        };
        tokio::time::timeout(deadline, wait)
            .await
            .unwrap_or(Push::Full)
    }

    /// Takes out the event whose turn it is.
    pub(super) fn pop(&self, turn: &mut Turn) -> Option<Arc<DaemonEvent>> {
        let lane = turn.next(|lane| !self.lanes[lane].queue.is_empty())?;
        self.lanes[lane].pop()
    }

    /// Waits until something may have come in. Only one reader may wait.
    pub(super) async fn mail(&self) {
        self.mail.notified().await;
    }

    /// Throws away everything in a closed mailbox, and returns how much that was.
    pub(super) async fn discard(&self) -> u64 {
        let mut count = 0;
        loop {
            for lane in &self.lanes {
                while lane.pop().is_some() {
                    count += 1;
                }
            }
            if self.len() == 0 {
                return count;
            }
            // A teller has reserved a place and is about to fill it or give it back.
            tokio::task::yield_now().await;
        }
    }

    /// Fills a reserved place, or gives it back when the mailbox has been closed.
    fn fill(&self, lane: &Lane, event: Arc<DaemonEvent>) -> Push {
        if self.is_closed.load(Ordering::SeqCst) {
            lane.give_back();
            // Whoever waits until the mailbox is empty has just seen the reserved place.
            self.mail.notify_one();
            return Push::Closed;
        }
        lane.queue.push(event);
        self.mail.notify_one();
        Push::Accepted { dropped: 0 }
    }
}

impl Lane {
    fn reserve(&self, max: usize) -> bool {
        let next = |taken| (taken < max).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            .is_ok()
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.room.notify_one();
        }
    }

    fn pop(&self) -> Option<Arc<DaemonEvent>> {
        let event = self.queue.pop()?;
        self.give_back();
        Some(event)
    }
}

/// Counts a teller out when it no longer waits, however that came about.
struct WaitingGuard<'a>(&'a AtomicUsize);

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
