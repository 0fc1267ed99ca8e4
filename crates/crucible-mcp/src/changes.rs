//! Who wants to know what has changed: subscriptions to notes and to the lists of tools and notes.
//!
//! A subscriber has a book of what changed since it was last told, each thing once: however slow
//! a client is, it costs no more than what it subscribed to.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How many notes one subscriber may follow.
pub(crate) const URIS_MAX: usize = 1024;
/// How many streams one principal may have open.
pub(crate) const STREAMS_MAX: usize = 32;
/// How many subscribers there may be in all.
const SUBSCRIBERS_MAX: usize = 1024;
/// How long changes are collected before they are told.
const COLLECT: Duration = Duration::from_millis(25);

/// All subscribers.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    subscribers: Mutex<HashMap<u64, Arc<Subscriber>>>,
    next: AtomicU64,
}

/// Somebody who wants to know.
#[derive(Debug)]
pub(crate) struct Subscriber {
    /// Who: bounds are per principal.
    principal: String,
    /// Whether it is a stream of its own, which are counted.
    is_stream: bool,
    book: Mutex<Book>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Book {
    /// What is followed.
    uris: BTreeSet<String>,
    pending: News,
}

/// What has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Notes that changed, came or went.
    pub(crate) uris: BTreeSet<String>,
    /// Whether there are other notes than before.
    pub(crate) resources: bool,
    /// Whether there are other tools than before.
    pub(crate) tools: bool,
}

/// A place among the subscribers; given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    changes: Arc<Changes>,
    number: u64,
    pub(crate) subscriber: Arc<Subscriber>,
}

impl Changes {
    /// Adds a subscriber; `Err` says which bound is reached.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        principal: &str,
        is_stream: bool,
        uris: BTreeSet<String>,
    ) -> Result<Place, String> {
        let subscriber = Arc::new(Subscriber {
            principal: principal.to_owned(),
            is_stream,
            book: Mutex::new(Book {
                uris,
                pending: News::default(),
            }),
            wake: Notify::new(),
        });
        let mut all = self.all();
        let is_same = |other: &&Arc<Subscriber>| other.is_stream && other.principal == principal;
        if is_stream && all.values().filter(is_same).count() >= STREAMS_MAX {
            return Err(format!(
                "{STREAMS_MAX} subscriptions are open, which is as many as may be; end one first"
            ));
        }
        if all.len() >= SUBSCRIBERS_MAX {
            return Err("as many clients as may be have subscribed; try again later".to_owned());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        all.insert(number, Arc::clone(&subscriber));
        drop(all);
        Ok(Place {
            changes: Arc::clone(self),
            number,
            subscriber,
        })
    }

    /// Notes that a note changed; `is_other_list` when it came or went.
    pub(crate) fn note_changed(&self, uri: &str, is_other_list: bool) {
        for subscriber in self.all().values() {
            subscriber.note_changed(uri, is_other_list);
        }
    }

    /// Notes that there are other tools than before.
    pub(crate) fn tools_changed(&self) {
        for subscriber in self.all().values() {
            subscriber.book().pending.tools = true;
            subscriber.wake.notify_one();
        }
    }

    /// Notes that everything may be other than before.
    pub(crate) fn anything_changed(&self) {
        for subscriber in self.all().values() {
            subscriber.anything_changed();
        }
    }

    /// Returns how many subscribers there are.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<Subscriber>>> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.changes.all().remove(&self.number);
    }
}

impl Subscriber {
    /// Follows one more note; `Err` says that it is one too many.
    pub(crate) fn follow(&self, uri: String) -> Result<(), String> {
        let mut book = self.book();
        if book.uris.len() >= URIS_MAX && !book.uris.contains(&uri) {
            return Err(format!(
                "{URIS_MAX} notes are followed, which is as many as may be; unsubscribe from one first"
            ));
        }
        book.uris.insert(uri);
        Ok(())
    }

    /// Follows one note less.
    pub(crate) fn unfollow(&self, uri: &str) {
        let mut book = self.book();
        book.uris.remove(uri);
        book.pending.uris.remove(uri);
    }

    fn note_changed(&self, uri: &str, is_other_list: bool) {
        let mut book = self.book();
        let is_followed = book.uris.contains(uri);
        if is_followed {
            book.pending.uris.insert(uri.to_owned());
        }
        book.pending.resources |= is_other_list;
        if is_followed || is_other_list {
            self.wake.notify_one();
        }
    }

    fn anything_changed(&self) {
        let mut book = self.book();
        book.pending = News {
            uris: book.uris.clone(),
            resources: true,
            tools: true,
        };
        self.wake.notify_one();
    }

    /// Waits for news and takes them. Cancel safe: what is not taken stays.
    pub(crate) async fn news(&self) -> News {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(COLLECT).await;
            let news = std::mem::take(&mut self.book().pending);
            if news != News::default() {
                return news;
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(uris: &[&str]) -> BTreeSet<String> {
        uris.iter().map(|uri| (*uri).to_owned()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn news_are_of_what_is_followed_and_each_thing_is_told_once() {
        let changes = Arc::new(Changes::default());
        let place = changes.subscribe("me", true, uris(&["a"])).unwrap();
        for _ in 0..10 {
            changes.note_changed("a", false);
            changes.note_changed("b", false);
        }
        let news = place.subscriber.news().await;
        assert_eq!(news.uris, uris(&["a"]));
        assert!(!news.resources && !news.tools);
        changes.note_changed("b", true);
        assert!(place.subscriber.news().await.resources);
        drop(place);
        assert_eq!(changes.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn when_anything_may_have_changed_all_that_is_followed_is_news() {
        let changes = Arc::new(Changes::default());
        let place = changes.subscribe("me", true, uris(&["a", "b"])).unwrap();
        changes.note_changed("a", false);
        changes.anything_changed();
        let news = place.subscriber.news().await;
        assert_eq!(news.uris, uris(&["a", "b"]));
        assert!(news.resources && news.tools);
    }

    #[test]
    fn subscriptions_are_bounded() {
        let changes = Arc::new(Changes::default());
        let mut places: Vec<Place> = (0..STREAMS_MAX)
            .map(|_| changes.subscribe("me", true, uris(&[])).unwrap())
            .collect();
        assert!(changes.subscribe("me", true, uris(&[])).is_err());
        let other = changes.subscribe("you", true, uris(&[])).unwrap();
        for number in 0..URIS_MAX {
            other.subscriber.follow(number.to_string()).unwrap();
        }
        assert!(other.subscriber.follow("more".to_owned()).is_err());
        other.subscriber.follow("0".to_owned()).unwrap();
        other.subscriber.unfollow("0");
        other.subscriber.follow("more".to_owned()).unwrap();
        places.pop();
        assert!(changes.subscribe("me", true, uris(&[])).is_ok());
    }
}
