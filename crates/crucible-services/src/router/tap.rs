//! What observers see: the last events, in a ring.
//!
//! One ring serves those who look back and those who follow. It is bounded in events and in bytes
//! of payload; a reader that is slower than that misses the oldest and is told how many. Writers
//! never wait for readers and take no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::events::{DaemonEvent, EventFilter};
use crate::ids::EventId;

/// The ring.
#[derive(Debug)]
pub(super) struct Tap {
    places: Box<[ArcSwapOption<Kept>]>,
    /// The number of the next event.
    head: AtomicU64,
    /// The number of the oldest event that may still be there.
    tail: AtomicU64,
    bytes: AtomicUsize,
    bytes_max: usize,
    readers: AtomicUsize,
    news: Notify,
    /// How often the tap was closed.
    closings: AtomicU64,
    /// Where the head was when the tap was last closed.
    closed_at: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    size: usize,
    event: Arc<DaemonEvent>,
}

impl Tap {
    pub(super) fn new(events_max: usize, bytes_max: usize) -> Self {
        Self {
            places: (0..events_max.max(1))
                .map(|_| ArcSwapOption::empty())
                .collect(),
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            bytes_max,
            readers: AtomicUsize::new(0),
            news: Notify::new(),
            closings: AtomicU64::new(0),
            closed_at: AtomicU64::new(0),
        }
    }

    /// Keeps the event and wakes those who follow. `size` is that of the payload, in bytes.
    pub(super) fn record(&self, event: Arc<DaemonEvent>, size: usize) {
        let number = self.head.fetch_add(1, Ordering::SeqCst);
        let kept = Arc::new(Kept {
            number,
            size,
            event,
        });
        // An event that alone is over the bound is kept until the next one comes.
        add_saturating(&self.bytes, size);
        self.forget_before((number + 1).saturating_sub(self.places_len()));
        // A writer that was overtaken by a whole round must not put its event over a newer one.
        let is_newer =
            |there: &Option<Arc<Kept>>| there.as_ref().is_some_and(|k| k.number > number);
        let before = self.place(number).rcu(|there| {
            if is_newer(there) {
                there.clone()
            } else {
                Some(Arc::clone(&kept))
            }
        });
        self.release(if is_newer(&before) {
            Some(kept)
        } else {
            before
        });
        while self.bytes.load(Ordering::SeqCst) > self.bytes_max {
            let tail = self.tail.load(Ordering::SeqCst);
            if tail >= number {
                break;
            }
            self.forget_before(tail + 1);
            // Only the event that the tail has just passed: a newer one in its place stays.
            let place = self.place(tail);
            let old = place.load_full().filter(|kept| kept.number <= tail);
            if old.is_some() {
                let before = place.compare_and_swap(&old, None);
                if same(before.as_ref(), old.as_ref()) {
                    self.release(old);
                }
            }
        }
        if self.readers.load(Ordering::SeqCst) > 0 {
            self.news.notify_waiters();
        }
    }

    /// Ends those who follow, once they have read what is there.
    pub(super) fn close(&self) {
        self.closed_at
            .store(self.head.load(Ordering::SeqCst), Ordering::SeqCst);
        self.closings.fetch_add(1, Ordering::SeqCst);
        self.news.notify_waiters();
    }

    /// Returns the last events that `filter` wants, at most `limit`, oldest first.
    pub(super) fn recent(&self, filter: &EventFilter, limit: usize) -> Vec<Arc<DaemonEvent>> {
        let mut found = self.backwards(filter).take(limit).collect::<Vec<_>>();
        found.reverse();
        found
            .into_iter()
            .map(|kept| Arc::clone(&kept.event))
            .collect()
    }

    fn backwards<'a>(&'a self, filter: &'a EventFilter) -> impl Iterator<Item = Arc<Kept>> + 'a {
        let tail = self.tail.load(Ordering::SeqCst);
        let head = self.head.load(Ordering::SeqCst);
        (tail..head)
            .rev()
            .filter_map(|number| self.get(number))
            .filter(|kept| filter.matches(&kept.event))
    }

    fn get(&self, number: u64) -> Option<Arc<Kept>> {
        let kept = self.place(number).load_full()?;
        (kept.number == number).then_some(kept)
    }

    fn place(&self, number: u64) -> &ArcSwapOption<Kept> {
        // The remainder is below the length, which is a usize.
        let at = usize::try_from(number % self.places_len()).unwrap_or(0);
        &self.places[at]
    }

    const fn places_len(&self) -> u64 {
        self.places.len() as u64
    }

    fn forget_before(&self, number: u64) {
        self.tail.fetch_max(number, Ordering::SeqCst);
    }

    fn release(&self, old: Option<Arc<Kept>>) {
        if let Some(old) = old {
            let next = |bytes: usize| Some(bytes.saturating_sub(old.size));
            let _always = self
                .bytes
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
                .is_ok();
        }
    }
}

fn add_saturating(counter: &AtomicUsize, amount: usize) {
    let next = |value: usize| Some(value.saturating_add(amount));
    let _always = counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
        .is_ok();
}

fn same(one: Option<&Arc<Kept>>, other: Option<&Arc<Kept>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// What an observer receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// An event.
    Event(Arc<DaemonEvent>),
    /// The observer was too slow and missed this many events, wanted or not.
    Missed(u64),
}

/// Follows the events that are accepted.
#[derive(Debug)]
pub struct EventSubscription {
    tap: Arc<Tap>,
    filter: EventFilter,
    /// The number of the next event to read.
    next: u64,
    /// How often the tap had been closed when this began.
    closings: u64,
}

impl EventSubscription {
    pub(super) fn new(tap: Arc<Tap>, filter: EventFilter) -> Self {
        let next = tap.head.load(Ordering::SeqCst);
        Self::at(tap, filter, next)
    }

    pub(super) fn after(tap: Arc<Tap>, filter: EventFilter, after: EventId) -> Option<Self> {
        let all = EventFilter::all();
        let next = tap
            .backwards(&all)
            .find(|kept| kept.event.id == after)?
            .number
            + 1;
        Some(Self::at(tap, filter, next))
    }

    fn at(tap: Arc<Tap>, filter: EventFilter, next: u64) -> Self {
        tap.readers.fetch_add(1, Ordering::SeqCst);
        let closings = tap.closings.load(Ordering::SeqCst);
        Self {
            tap,
            filter,
            next,
            closings,
        }
    }

    /// Waits for the next event that the filter wants; `None` when routing has ended.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Received> {
        loop {
            let tap = Arc::clone(&self.tap);
            let mut news = std::pin::pin!(tap.news.notified());
            news.as_mut().enable();
            if let Some(received) = self.try_recv() {
                return Some(received);
            }
            let has_ended = tap.closings.load(Ordering::SeqCst) != self.closings;
            if has_ended && self.next >= tap.closed_at.load(Ordering::SeqCst) {
                return None;
            }
            news.await;
        }
    }

    /// Returns the next event that is there already, if any.
    pub fn try_recv(&mut self) -> Option<Received> {
        loop {
            let tail = self.tap.tail.load(Ordering::SeqCst);
            if self.next < tail {
                let missed = tail - self.next;
                self.next = tail;
                return Some(Received::Missed(missed));
            }
            match self.tap.get(self.next) {
                Some(kept) => {
                    self.next += 1;
                    if self.filter.matches(&kept.event) {
                        return Some(Received::Event(Arc::clone(&kept.event)));
                    }
                }
                // Either not there yet, or forgotten since the tail was read.
                None if self.next >= self.tap.tail.load(Ordering::SeqCst) => return None,
                None => {}
            }
        }
    }
}

impl Drop for EventSubscription {
    fn drop(&mut self) {
        self.tap.readers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{EventCategory, EventPayload, EventSource, EventType};

    fn event(text: &str) -> Arc<DaemonEvent> {
        let event_type = EventType::Custom {
            name: "t".to_owned(),
        };
        let source = EventSource::manual("t");
        Arc::new(DaemonEvent::new(
            event_type,
            source,
            EventPayload::text(text),
        ))
    }

    fn subscribe(tap: &Arc<Tap>) -> EventSubscription {
        EventSubscription::new(Arc::clone(tap), EventFilter::all())
    }

    #[tokio::test]
    async fn slow_reader_is_told_how_many_it_missed() {
        let tap = Arc::new(Tap::new(4, 1_000));
        let mut reader = subscribe(&tap);
        let events: Vec<_> = (0..10).map(|_| event("x")).collect();
        for event in &events {
            tap.record(Arc::clone(event), 1);
        }
        assert_eq!(reader.recv().await, Some(Received::Missed(6)));
        for event in &events[6..] {
            assert_eq!(
                reader.recv().await,
                Some(Received::Event(Arc::clone(event)))
            );
        }
        assert_eq!(reader.try_recv(), None);
    }

    #[test]
    fn ring_is_bounded_in_bytes() {
        let tap = Tap::new(100, 10);
        let events: Vec<_> = (0..8).map(|_| event("x")).collect();
        for event in &events {
            tap.record(Arc::clone(event), 4);
        }
        assert_eq!(tap.recent(&EventFilter::all(), 100), events[6..]);
        tap.record(event("huge"), 1_000);
        assert_eq!(tap.recent(&EventFilter::all(), 100).len(), 1);
        tap.record(event("small"), 4);
        assert_eq!(tap.recent(&EventFilter::all(), 100).len(), 1);
        assert_eq!(tap.bytes.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn reader_reads_to_the_end_and_then_ends() {
        let tap = Arc::new(Tap::new(4, 1_000));
        let mut reader = subscribe(&tap);
        tap.record(event("last"), 4);
        tap.close();
        assert!(matches!(reader.recv().await, Some(Received::Event(_))));
        assert_eq!(reader.recv().await, None);
        let mut next = subscribe(&tap);
        tap.record(event("anew"), 4);
        assert!(matches!(next.recv().await, Some(Received::Event(_))));
    }

    #[tokio::test]
    async fn reader_goes_on_after_a_given_event() {
        let tap = Arc::new(Tap::new(4, 1_000));
        let events: Vec<_> = (0..6).map(|_| event("x")).collect();
        for event in &events {
            tap.record(Arc::clone(event), 1);
        }
        let all = EventFilter::all;
        assert!(EventSubscription::after(Arc::clone(&tap), all(), events[1].id).is_none());
        let mut reader = EventSubscription::after(Arc::clone(&tap), all(), events[4].id).unwrap();
        let next = reader.recv().await;
        assert_eq!(next, Some(Received::Event(Arc::clone(&events[5]))));
    }

    #[test]
    fn looking_back_filters_and_limits() {
        let tap = Tap::new(8, 1_000);
        let events: Vec<_> = (0..5).map(|_| event("x")).collect();
        for event in &events {
            tap.record(Arc::clone(event), 1);
        }
        assert_eq!(tap.recent(&EventFilter::all(), 2), events[3..]);
        let filter = EventFilter::category(EventCategory::Mcp);
        assert!(tap.recent(&filter, 2).is_empty());
    }

    #[test]
    fn many_writers_lose_nothing_within_the_bound() {
        let tap = Arc::new(Tap::new(10_000, 1_000_000));
        let mut reader = subscribe(&tap);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| tap.record(event("x"), 1)));
            }
        });
        let mut count = 0;
        while let Some(Received::Event(_)) = reader.try_recv() {
            count += 1;
        }
        assert_eq!(count, 4_000);
    }
}
