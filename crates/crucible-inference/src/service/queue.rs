//! What waits for the worker: two lanes, the one in which somebody waits first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crucible_services::inference::Urgency;
use tokio::time::Instant;

use super::job::Job;

/// The most bytes of text that wait; a request beyond is refused.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// A bounded queue between async callers and one thread. Full: refuses.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    interactive: VecDeque<Job>,
    background: VecDeque<Job>,
    bytes: usize,
    is_closed: bool,
    is_poked: bool,
}

/// What the worker is to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Work on this; it is no longer in the queue.
    Work(Job),
    /// Nothing waits; look after the models.
    Idle,
    /// End.
    Closed,
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too much waits.
    Full,
    /// The worker ends.
    Closed,
}

impl Queue {
    /// Puts a job at the end of its lane unless `most` jobs wait, or too much text.
    pub(super) fn push(&self, job: Job, most: usize) -> Result<(), Refused> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        if state.len() >= most || state.bytes.saturating_add(job.bytes()) > BYTES_MAX {
            return Err(Refused::Full);
        }
        state.bytes += job.bytes();
        state.lane(job.urgency()).push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Puts a job that is not done back to the beginning of its lane.
    pub(super) fn give_back(&self, job: Job) {
        let mut state = self.state();
        state.bytes += job.bytes();
        state.lane(job.urgency()).push_front(job);
    }

    /// Waits for work, until `until` if that is given.
    ///
    /// Once closed, it still hands out what somebody waits for, and drops the rest.
    pub(super) fn next(&self, until: Option<Instant>) -> Next {
        let mut state = self.state();
        loop {
            if state.is_closed {
                state.background.clear();
            }
            let waiting = state.interactive.pop_front();
            if let Some(job) = waiting.or_else(|| state.background.pop_front()) {
                state.bytes -= job.bytes();
                return Next::Work(job);
            }
            if state.is_closed {
                return Next::Closed;
            }
            if std::mem::take(&mut state.is_poked) {
                return Next::Idle;
            }
            state = match until {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Next::Idle;
                    }
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Returns how many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.state().len()
    }

    /// Lets the worker look after the models now.
    pub(super) fn poke(&self) {
        self.state().is_poked = true;
        self.changed.notify_one();
    }

    /// Refuses new jobs from now on.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    /// Drops all that waits.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.interactive.clear();
        state.background.clear();
        state.bytes = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn len(&self) -> usize {
        self.interactive.len() + self.background.len()
    }

    fn lane(&mut self, urgency: Urgency) -> &mut VecDeque<Job> {
        match urgency {
            Urgency::Interactive => &mut self.interactive,
            Urgency::Background => &mut self.background,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str, urgency: Urgency) -> Job {
        Job::for_test(text, urgency)
    }

    fn text(next: Next) -> String {
        match next {
            Next::Work(Job::Embed(job)) => job.texts[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_somebody_waits_for_comes_first() {
        let queue = Queue::default();
        queue.push(job("b", Urgency::Background), 9).unwrap();
        queue.push(job("i", Urgency::Interactive), 9).unwrap();
        assert_eq!(text(queue.next(None)), "i");
        assert_eq!(text(queue.next(None)), "b");
    }

    #[test]
    fn full_queue_refuses() {
        let queue = Queue::default();
        queue.push(job("a", Urgency::Background), 1).unwrap();
        let refused = queue.push(job("b", Urgency::Interactive), 1);
        assert_eq!(refused, Err(Refused::Full));
    }

    #[test]
    fn too_much_text_is_refused_until_some_is_done() {
        let queue = Queue::default();
        let large = "x".repeat(BYTES_MAX);
        queue.push(job(&large, Urgency::Background), 9).unwrap();
        let refused = queue.push(job("b", Urgency::Background), 9);
        assert_eq!(refused, Err(Refused::Full));
        assert_eq!(text(queue.next(None)).len(), BYTES_MAX);
        queue.push(job("b", Urgency::Background), 9).unwrap();
    }

    #[test]
    fn closed_queue_hands_out_only_what_somebody_waits_for() {
        let queue = Queue::default();
        queue.push(job("b", Urgency::Background), 9).unwrap();
        queue.push(job("i", Urgency::Interactive), 9).unwrap();
        queue.close();
        let refused = queue.push(job("late", Urgency::Interactive), 9);
        assert_eq!(refused, Err(Refused::Closed));
        assert_eq!(text(queue.next(None)), "i");
        assert!(matches!(queue.next(None), Next::Closed));
    }

    #[test]
    fn nothing_to_do_is_told_when_the_time_has_come() {
        let queue = Queue::default();
        assert!(matches!(queue.next(Some(Instant::now())), Next::Idle));
        queue.poke();
        assert!(matches!(queue.next(None), Next::Idle));
    }
}
