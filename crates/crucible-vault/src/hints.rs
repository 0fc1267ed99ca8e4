//! The book of hints: paths that something may have happened to, and since when.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The most paths that wait; when one more comes, all are dropped for one look at everything.
const PATHS_MAX: usize = 65_536;
/// How many quiet periods a path that never rests is waited for.
const PATIENCE: u32 = 10;

/// Takes hints from the watcher's thread and gives them out once their paths have rested.
#[derive(Debug)]
pub(crate) struct HintBook {
    quiet: Duration,
    pages: Mutex<Pages>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    paths: HashMap<PathBuf, Span>,
    everything: Option<Span>,
    fault: Option<String>,
}

/// When a path was hinted at first and last.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: Instant,
    last: Instant,
}

/// What has rested.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Look at everything; then `paths` is empty.
    pub(crate) everything: bool,
    /// Paths to look at, relative to the root.
    pub(crate) paths: Vec<PathBuf>,
    /// When the next will have rested, if nothing else comes.
    pub(crate) next: Option<Instant>,
}

impl HintBook {
    pub(crate) fn new(quiet: Duration) -> Self {
        Self {
            quiet,
            pages: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Notes that something may have happened to `path`, relative to the root. Never waits.
    pub(crate) fn hint(&self, path: PathBuf) {
        let now = Instant::now();
        let mut pages = self.pages();
        let was_empty = pages.is_empty();
        if pages.paths.len() >= PATHS_MAX && !pages.paths.contains_key(&path) {
            pages.paths.clear();
            pages
                .everything
                .get_or_insert(Span {
                    first: now,
                    last: now,
                })
                .last = now;
        } else {
            let span = pages.paths.entry(path).or_insert(Span {
                first: now,
                last: now,
            });
            span.last = now;
        }
        drop(pages);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Notes that hints were lost, or that the rules have changed.
    pub(crate) fn hint_everything(&self) {
        let now = Instant::now();
        self.pages()
            .everything
            .get_or_insert(Span {
                first: now,
                last: now,
            })
            .last = now;
        self.wake.notify_one();
    }

    /// Notes that the watcher can no longer be relied on.
    pub(crate) fn report_fault(&self, fault: String) {
        self.pages().fault = Some(fault);
        self.hint_everything();
    }

    /// Takes the watcher's fault.
    pub(crate) fn take_fault(&self) -> Option<String> {
        self.pages().fault.take()
    }

    /// Waits for a hint after the book was empty. Cancel safe.
    pub(crate) async fn hinted(&self) {
        self.wake.notified().await;
    }

    /// Takes what has rested by `now`.
    pub(crate) fn take_due(&self, now: Instant) -> Due {
        let mut pages = self.pages();
        if let Some(span) = pages.everything {
            let at = self.due_at(span);
            if at <= now {
                pages.everything = None;
                pages.paths.clear();
                return Due {
                    everything: true,
                    ..Due::default()
                };
            }
            return Due {
                next: Some(at),
                ..Due::default()
            };
        }
        let mut due = Due::default();
        pages.paths.retain(|path, span| {
            let at = self.due_at(*span);
            if at <= now {
                due.paths.push(path.clone());
            } else {
                due.next = Some(due.next.map_or(at, |next| next.min(at)));
            }
            at > now
        });
        due
    }

    fn due_at(&self, span: Span) -> Instant {
        (span.last + self.quiet).min(span.first + self.quiet * PATIENCE)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.everything.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(50);

    fn due(book: &HintBook) -> Vec<PathBuf> {
        book.take_due(Instant::now()).paths
    }

    #[tokio::test(start_paused = true)]
    async fn path_is_due_once_it_has_rested() {
        let book = HintBook::new(QUIET);
        book.hint("a.md".into());
        assert!(due(&book).is_empty());
        tokio::time::advance(QUIET / 2).await;
        book.hint("a.md".into());
        tokio::time::advance(QUIET / 2).await;
        assert!(due(&book).is_empty());
        tokio::time::advance(QUIET / 2).await;
        assert_eq!(due(&book), [PathBuf::from("a.md")]);
        assert!(due(&book).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn path_that_never_rests_is_due_all_the_same() {
        let book = HintBook::new(QUIET);
        for _ in 0..=20 {
            book.hint("a.md".into());
            tokio::time::advance(QUIET / 2).await;
        }
        assert_eq!(due(&book), [PathBuf::from("a.md")]);
    }

    #[tokio::test(start_paused = true)]
    async fn overflow_becomes_a_look_at_everything() {
        let book = HintBook::new(QUIET);
        for number in 0..=PATHS_MAX {
            book.hint(number.to_string().into());
        }
        tokio::time::advance(QUIET).await;
        let due = book.take_due(Instant::now());
        assert!(due.everything && due.paths.is_empty());
        assert!(!book.take_due(Instant::now()).everything);
    }

    #[tokio::test(start_paused = true)]
    async fn first_hint_wakes_the_one_who_waits() {
        let book = HintBook::new(QUIET);
        book.hint("a.md".into());
        book.hinted().await;
        let next = book.take_due(Instant::now()).next;
        assert_eq!(next, Some(Instant::now() + QUIET));
    }
}
