//! What waits for one script: calls that somebody waits for, and events.
//!
//! Calls go first. Each kind has a bound: a call that finds no room is refused, an event takes the
//! place of the oldest one, which is counted and told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How many calls wait for one script.
const CALLS_MAX: usize = 32;

/// What waits for one script.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    lanes: Mutex<Lanes<T>>,
    events_max: usize,
    came: Notify,
}

#[derive(Debug)]
struct Lanes<T> {
    calls: VecDeque<T>,
    events: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(events_max: usize) -> Self {
        Self {
            lanes: Mutex::new(Lanes {
                calls: VecDeque::new(),
                events: VecDeque::new(),
                is_closed: false,
            }),
            events_max: events_max.max(1),
            came: Notify::new(),
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes<T>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call; gives it back when there is no room, or nobody takes from the queue.
    pub(crate) fn push_call(&self, item: T) -> Result<(), T> {
        let mut lanes = self.lanes();
        if lanes.is_closed || lanes.calls.len() >= CALLS_MAX {
            return Err(item);
        }
        lanes.calls.push_back(item);
        drop(lanes);
        self.came.notify_one();
        Ok(())
    }

    /// Adds an event; returns the oldest one when it had to make way.
    pub(crate) fn push_event(&self, item: T) -> Option<T> {
        let mut lanes = self.lanes();
        if lanes.is_closed {
            return Some(item);
        }
        let dropped = if lanes.events.len() >= self.events_max {
            lanes.events.pop_front()
        } else {
            None
        };
        lanes.events.push_back(item);
        drop(lanes);
        self.came.notify_one();
        dropped
    }

    /// Takes what comes next, and waits for it.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&self) -> T {
        loop {
            let came = self.came.notified();
            {
                let mut lanes = self.lanes();
                if let Some(item) = lanes.calls.pop_front().or_else(|| lanes.events.pop_front()) {
                    return item;
                }
            }
            came.await;
        }
    }

    /// Takes nothing more, and gives up what waits.
    pub(crate) fn close(&self) -> usize {
        let mut lanes = self.lanes();
        lanes.is_closed = true;
        lanes.calls.clear();
        let left = lanes.events.len();
        lanes.events.clear();
        left
    }

    /// Takes again.
    pub(crate) fn open(&self) {
        self.lanes().is_closed = false;
    }

    pub(crate) fn waiting(&self) -> usize {
        let lanes = self.lanes();
        lanes.calls.len() + lanes.events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_go_first_and_events_keep_their_order() {
        let queue = Queue::new(10);
        assert_eq!(queue.push_event("e1"), None);
        assert_eq!(queue.push_event("e2"), None);
        queue.push_call("c").unwrap();
        assert_eq!(
            (queue.next().await, queue.next().await, queue.next().await),
            ("c", "e1", "e2")
        );
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_oldest_event_and_refuses_calls() {
        let queue = Queue::new(2);
        assert_eq!((queue.push_event(1), queue.push_event(2)), (None, None));
        assert_eq!(queue.push_event(3), Some(1));
        for call in 0..CALLS_MAX {
            queue.push_call(call).unwrap();
        }
        assert_eq!(queue.push_call(99), Err(99));
    }

    #[tokio::test]
    async fn a_closed_queue_takes_nothing_until_it_is_opened() {
        let queue = Queue::new(2);
        queue.push_event(1);
        assert_eq!(queue.close(), 1);
        assert_eq!((queue.push_event(2), queue.push_call(3)), (Some(2), Err(3)));
        queue.open();
        queue.push_event(4);
        assert_eq!(queue.next().await, 4);
    }
}
