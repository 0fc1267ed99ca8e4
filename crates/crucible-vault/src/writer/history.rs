//! The record of changes in memory and on disk, with the contents that undoing needs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::blobs::Blobs;
use super::config::WriterConfig;
use super::log::Log;
use super::record::{Entry, Line};

/// The share of the bounds that is left when they are enforced, so that it is not done for each
/// change: nine tenths.
const KEPT_TENTHS: usize = 9;

/// All changes that are remembered.
#[derive(Debug)]
pub(super) struct History {
    log: Log,
    pub(super) blobs: Blobs,
    /// Changes that were made, oldest first.
    entries: VecDeque<Entry>,
    /// The change that was begun and neither made nor dropped.
    begun: Option<Entry>,
    changes_max: usize,
    bytes_max: u64,
    /// Held as long as this lives, so that no other process writes here.
    _lock: File,
}

impl History {
    /// Opens the record in `folder`; `WouldBlock` when another process has it open.
    pub(super) fn open(folder: &Path, config: &WriterConfig) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            TryLockError::Error(error) => error,
        })?;
        let (log, lines) = Log::open(folder)?;
        let mut history = Self {
            log,
            blobs: Blobs::open(folder.join("blobs"))?,
            entries: VecDeque::new(),
            begun: None,
            changes_max: config.history_changes_max.max(1),
            bytes_max: config.history_bytes_max,
            _lock: lock,
        };
        for line in lines {
            history.take(line);
        }
        Ok(history)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Begin(entry) => self.begun = Some(*entry),
            Line::Dropped(id) => {
                self.begun.take_if(|entry| entry.change.id == id);
            }
            Line::Done(id) => {
                if let Some(entry) = self.begun.take_if(|entry| entry.change.id == id) {
                    self.remember(entry);
                }
            }
        }
    }

    /// Adds a change that was made. One that undoes another marks it; one that undoes an undoing
    /// brings the first back, so that it can be undone again.
    fn remember(&mut self, entry: Entry) {
        if let Some(undone) = entry.undoes.clone() {
            let id = entry.change.id.clone();
            let restored = self.find_mut(&undone).and_then(|undone| {
                undone.change.undone_by = Some(id);
                undone.undoes.clone()
            });
            if let Some(first) = restored.and_then(|first| self.find_mut(&first)) {
                first.change.undone_by = None;
            }
        }
        self.entries.push_back(entry);
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries
            .iter_mut()
            .rev()
            .find(|entry| entry.change.id == id)
    }

    /// Returns a change that was made.
    pub(super) fn find(&self, id: &str) -> Option<&Entry> {
        self.newest().find(|entry| entry.change.id == id)
    }

    /// Returns the changes that were made, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev()
    }

    /// Returns the change that was begun and neither made nor dropped.
    pub(super) fn begun(&self) -> Option<&Entry> {
        self.begun.as_ref()
    }

    /// Writes down that a change is about to be made; on disk on return.
    pub(super) fn begin(&mut self, entry: &Entry) -> io::Result<()> {
        self.log
            .append(&Line::Begin(Box::new(entry.clone())), true)?;
        self.begun = Some(entry.clone());
        Ok(())
    }

    /// Writes down that the change that was begun was made.
    ///
    /// A change of one file needs no sync here: at the next open the file itself says that it was
    /// made.
    pub(super) fn done(&mut self) -> io::Result<()> {
        let Some(entry) = &self.begun else {
            return Ok(());
        };
        let sync = entry.steps.len() > 1;
        self.log
            .append(&Line::Done(entry.change.id.clone()), sync)?;
        if let Some(entry) = self.begun.take() {
            self.remember(entry);
        }
        self.enforce_bounds()
    }

    /// Writes down that the change that was begun was not made.
    pub(super) fn drop_begun(&mut self) -> io::Result<()> {
        if let Some(entry) = &self.begun {
            self.log
                .append(&Line::Dropped(entry.change.id.clone()), false)?;
            self.begun = None;
        }
        Ok(())
    }

    /// Drops the oldest changes where there are more than may be, and contents that none needs.
    fn enforce_bounds(&mut self) -> io::Result<()> {
        if self.entries.len() <= self.changes_max && self.blobs.total() <= self.bytes_max {
            return Ok(());
        }
        let mut uses: HashMap<String, usize> = HashMap::new();
        for hash in self.entries.iter().flat_map(Entry::kept) {
            *uses.entry(hash.to_owned()).or_default() += 1;
        }
        let mut bytes: u64 = uses.keys().map(|hash| self.blobs.size(hash)).sum();
        let changes_kept = (self.changes_max * KEPT_TENTHS / 10).max(1);
        let bytes_kept = self.bytes_max / 10 * KEPT_TENTHS as u64;
        while self.entries.len() > 1 && (self.entries.len() > changes_kept || bytes > bytes_kept) {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            for hash in oldest.kept() {
                let left = uses.get_mut(hash).map_or(0, |left| {
                    *left -= 1;
                    *left
                });
                if left == 0 {
                    bytes -= self.blobs.size(hash);
                }
            }
        }
        self.tidy()
    }

    /// Writes the record anew and takes away contents that no change needs.
    pub(super) fn tidy(&mut self) -> io::Result<()> {
        let made = self.entries.iter().flat_map(|entry| {
            let id = entry.change.id.clone();
            [Line::Begin(Box::new(entry.clone())), Line::Done(id)]
        });
        let begun = self
            .begun
            .iter()
            .map(|entry| Line::Begin(Box::new(entry.clone())));
        self.log
            .replace(made.chain(begun).collect::<Vec<_>>().into_iter())?;
        let kept: HashSet<&str> = self
            .entries
            .iter()
            .chain(&self.begun)
            .flat_map(Entry::kept)
            .collect();
        self.blobs.retain(&kept)
    }
}
