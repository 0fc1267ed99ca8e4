//! What the threads of a store tell each other and its health.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crucible_services::data_store::Error;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::causes::Causes;
use crate::config::StoreConfig;

/// The state that the handle, the writer and the followers of one store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    /// Whether this store may write, and so may judge the facts file.
    is_writing: bool,
    /// Notes parsed since the store was opened.
    pub(crate) parsed: AtomicU64,
    /// The outbox's last position; followers wait on it.
    pub(crate) seq: watch::Sender<i64>,
    /// The position that the text index's last commit contains.
    pub(crate) text_cursor: AtomicI64,
    /// Counts the commits of the text index; who looks at what it holds waits on it.
    pub(crate) text_commits: watch::Sender<u64>,
    /// Whether listeners are being told.
    pub(crate) is_attached: AtomicBool,
    /// Whether the facts were taken on the word of their seal and have to be looked through yet.
    pub(crate) is_on_trust: AtomicBool,
    /// Which events told of notes last.
    causes: Mutex<Causes>,
    text: Mutex<TextStatus>,
    damage: Mutex<Option<String>>,
}

/// How far the text index is behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextStatus {
    /// Notes handed over and not yet committed.
    pub(crate) pending: u64,
    /// Since when something has been pending.
    pub(crate) since: Option<Instant>,
    /// Why the text index cannot be written now.
    pub(crate) failure: Option<String>,
    /// Whether it is being built from the notes' files.
    pub(crate) is_rebuilding: bool,
}

impl Shared {
    pub(crate) fn new(config: StoreConfig, is_writing: bool) -> Self {
        Self {
            config,
            is_writing,
            parsed: AtomicU64::new(0),
            seq: watch::Sender::new(0),
            text_cursor: AtomicI64::new(0),
            text_commits: watch::Sender::new(0),
            is_attached: AtomicBool::new(false),
            is_on_trust: AtomicBool::new(false),
            causes: Mutex::default(),
            text: Mutex::default(),
            damage: Mutex::default(),
        }
    }

    /// Returns how far the text index is behind.
    pub(crate) fn text(&self) -> TextStatus {
        self.text_mut().clone()
    }

    /// Returns which events told of notes last.
    pub(crate) fn causes(&self) -> MutexGuard<'_, Causes> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn text_mut(&self) -> MutexGuard<'_, TextStatus> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `notes` as handed over to the text index.
    pub(crate) fn add_pending(&self, notes: u64) {
        let mut text = self.text_mut();
        text.pending += notes;
        if text.pending > 0 {
            text.since.get_or_insert_with(Instant::now);
        }
    }

    /// Counts `notes` as committed by the text index.
    pub(crate) fn remove_pending(&self, notes: u64) {
        let mut text = self.text_mut();
        text.pending = text.pending.saturating_sub(notes);
        if text.pending == 0 {
            text.since = None;
        }
    }

    /// Returns what was found damaged while the store was open, with the cure.
    pub(crate) fn damage(&self) -> Option<String> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        damage.clone()
    }

    /// Turns an error of SQLite into one for callers, and remembers a damaged file, so that the
    /// next open moves it aside whatever it looks like then.
    pub(crate) fn sqlite_error(&self, error: &rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        let message = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                "the disk is full; free some space, then the change is tried again".to_owned()
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                self.found_damaged(&error.to_string())
            }
            _ => format!(
                "the facts file {} cannot be used ({error}); check the disk and its permissions",
                self.config.facts_path().display()
            ),
        };
        Error::Internal { message }
    }

    /// Remembers that the facts file is damaged, so that the next open moves it aside; returns
    /// what to tell.
    pub(crate) fn found_damaged(&self, what: &str) -> String {
        let message = format!(
            "the facts file {} is damaged ({what}); restart crucible: the file is moved aside and \
             built anew from the notes",
            self.config.facts_path().display()
        );
        self.remember_damage(&message);
        message
    }

    fn remember_damage(&self, message: &str) {
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if damage.is_none() {
            tracing::error!(error = message, "the facts file is damaged");
            if self.is_writing
                && let Err(error) = std::fs::write(self.config.doubt_path(), message)
            {
                tracing::warn!(%error, "the damage could not be noted for the next start");
            }
            *damage = Some(message.to_owned());
        }
    }

    pub(crate) fn count_parsed(&self, notes: u64) {
        self.parsed.fetch_add(notes, Ordering::Relaxed);
    }
}
