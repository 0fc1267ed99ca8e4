//! The open text index with what it still lacks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crucible_notes::NoteFacts;
use crucible_services::note_index::NoteSource;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::Failure;
use crate::config::StoreConfig;
use crate::facts::batch::TextChange;
use crate::facts::file::FileRow;
use crate::prepare::{Parsed, ParsedNote, parse};
use crate::readers::Readers;
use crate::shared::Shared;
use crate::text::{self, NoteText, TextBlock, TextIndex};
use crate::writer::Command;

/// How long no change may come during a first build before what came is committed.
const BULK_DELAY: Duration = Duration::from_millis(500);
/// How long a first build goes on without a commit.
const BULK_DELAY_MAX: Duration = Duration::from_secs(15);
/// How long a file may take to be read.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// The open index and where it stands.
pub(crate) struct Feed {
    index: Arc<TextIndex>,
    /// The position that the last commit contains.
    committed: i64,
    /// The position that is reached once `waiting` is empty and a commit is made.
    seq: i64,
    /// Notes whose text must be taken from their files.
    pub(super) waiting: VecDeque<i64>,
    /// Notes taken over since the last commit.
    taken: u64,
    /// When the first and the last change since the last commit came.
    changed: Option<(Instant, Instant)>,
    is_bulk: bool,
    has_committed: bool,
}

impl Feed {
    pub(super) fn new(index: Arc<TextIndex>, cursor: i64) -> Self {
        Self {
            index,
            committed: cursor,
            seq: cursor,
            waiting: VecDeque::new(),
            taken: 0,
            changed: None,
            is_bulk: false,
            has_committed: false,
        }
    }

    pub(super) fn index(&self) -> Arc<TextIndex> {
        Arc::clone(&self.index)
    }

    pub(super) fn cursor(&self) -> i64 {
        self.committed
    }

    /// Begins with what a former run left undone.
    pub(super) fn begin(
        &mut self,
        seq: i64,
        drops: Vec<i64>,
        notes: VecDeque<i64>,
    ) -> Result<(), text::Error> {
        if drops.is_empty() && notes.is_empty() {
            return Ok(());
        }
        for id in drops {
            self.index.delete_note(id)?;
        }
        self.seq = seq;
        self.is_bulk = true;
        self.waiting = notes;
        self.touch();
        Ok(())
    }

    /// Takes over a batch.
    pub(super) fn take(
        &mut self,
        changes: Vec<TextChange>,
        seq: i64,
        is_bulk: bool,
    ) -> Result<(), text::Error> {
        for change in changes {
            match change {
                TextChange::Put { id, path, note } => {
                    self.put(id, &path, &note)?;
                    self.taken += 1;
                }
                TextChange::Refresh { id } => self.waiting.push_back(id),
                TextChange::Drop { id } => self.index.delete_note(id)?,
            }
        }
        self.seq = self.seq.max(seq);
        self.is_bulk = is_bulk;
        self.touch();
        Ok(())
    }

    /// Takes a note's text from its file; returns what the writer must be told if the file is
    /// not what the facts say.
    pub(super) fn refresh(
        &mut self,
        id: i64,
        readers: &Readers,
        source: &dyn NoteSource,
        runtime: &Handle,
    ) -> Result<Option<Command>, Failure> {
        let file = readers.read_now(|connection| Ok(FileRow::numbered(connection, id)?))?;
        self.taken += 1;
        self.touch();
        let Some(file) = file.filter(FileRow::is_note) else {
            return Ok(None); // gone since; its deletion is on the way
        };
        let read = runtime
            .block_on(async { tokio::time::timeout(READ_DEADLINE, source.read(&file.path)).await });
        let doubt = Some(Command::Doubt {
            id,
            path: file.path.clone(),
            hash: file.hash.clone(),
        });
        let Ok(Ok(bytes)) = read else {
            return Ok(doubt);
        };
        match parse(&file.path, &bytes) {
            Parsed::Note(note) => self.put(id, &file.path, &note)?,
            Parsed::Skipped(_) => self.index.delete_note(id)?,
        }
        let is_same = blake3::hash(&bytes).as_bytes().as_slice() == file.hash;
        Ok(if is_same { None } else { doubt })
    }

    fn put(&mut self, id: i64, path: &str, note: &ParsedNote) -> Result<(), text::Error> {
        let paths = heading_paths(&note.facts);
        let blocks: Vec<TextBlock<'_>> = note
            .facts
            .blocks
            .iter()
            .enumerate()
            .map(|(ordinal, block)| TextBlock {
                ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
                line: u32::try_from(block.line).unwrap_or(u32::MAX),
                heading_path: block
                    .heading
                    .and_then(|at| paths.get(at))
                    .map_or(&[], |path| path),
                text: &block.text,
            })
            .collect();
        self.index.add_note(&NoteText {
            note_id: id,
            path,
            title: &note.title,
            is_title_own: note.is_title_own,
            aliases: &note.facts.aliases,
            tags: &note.tags,
            blocks: &blocks,
        })
    }

    fn touch(&mut self) {
        let now = Instant::now();
        let first = self.changed.map_or(now, |(first, _)| first);
        self.changed = Some((first, now));
    }

    /// Says whether there is something to commit.
    pub(super) fn is_dirty(&self) -> bool {
        self.changed.is_some()
    }

    /// Says whether there was a commit.
    pub(super) fn has_committed(&self) -> bool {
        self.has_committed
    }

    /// When the next commit is due, if there is something to commit.
    pub(super) fn commit_due(&self, config: &StoreConfig) -> Option<Instant> {
        let (first, last) = self.changed?;
        let (delay, delay_max) = if self.is_bulk {
            (BULK_DELAY, BULK_DELAY_MAX)
        } else {
            (config.text_commit_delay, config.text_commit_delay_max)
        };
        Some((last + delay).min(first + delay_max))
    }

    /// Makes everything that was taken over findable and lasting.
    pub(super) fn commit(&mut self, shared: &Shared) -> Result<(), text::Error> {
        // While notes wait, a crash must find the position from before them.
        let reached = if self.waiting.is_empty() {
            self.seq
        } else {
            self.committed
        };
        self.index.commit(reached.cast_unsigned())?;
        self.committed = reached;
        self.has_committed = true;
        self.changed = None;
        shared.text_cursor.store(reached, Ordering::Relaxed);
        shared.remove_pending(std::mem::take(&mut self.taken));
        if self.waiting.is_empty() {
            shared.text_mut().is_rebuilding = false;
        }
        shared.text_commits.send_modify(|commits| *commits += 1);
        Ok(())
    }
}

/// Returns, for each heading, itself and those above it, outermost first.
fn heading_paths(facts: &NoteFacts) -> Vec<Vec<&str>> {
    let mut above: Vec<(u8, &str)> = Vec::new();
    facts
        .headings
        .iter()
        .map(|heading| {
            while above
                .last()
                .is_some_and(|(level, _)| *level >= heading.level)
            {
                above.pop();
            }
            above.push((heading.level, &heading.text));
            above.iter().map(|(_, text)| *text).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heading_paths_follow_the_levels() {
        let facts = crucible_notes::parse("# A\n\n### B\n\n## C\n\n# D\n");
        let paths = heading_paths(&facts);
        assert_eq!(
            paths,
            [vec!["A"], vec!["A", "B"], vec!["A", "C"], vec!["D"]]
        );
    }
}
