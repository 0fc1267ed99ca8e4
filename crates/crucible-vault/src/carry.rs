//! Reads changed files and puts them in batches, on blocking threads, ahead of the index.

use std::collections::VecDeque;

use bytes::Bytes;
use crucible_services::data_store::ProblemKind;
use crucible_services::note_index::{FileChange, FileContent, FileStamp};

use crate::folder::VaultFolder;
use crate::found::{Class, Found};
use crate::known::{Entry, Known};
use crate::plan::Plan;
use crate::read::{ReadNote, read_note};

/// The most changes in one batch.
const BATCH_CHANGES_MAX: usize = 512;
/// The most content in one batch, in bytes; a larger note has a batch of its own.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// One change before its file has been read.
#[derive(Debug)]
pub(crate) enum Step {
    /// It needs no reading.
    Tell(FileChange),
    /// The file has to be classified and, if it is a note, read; and why it was skipped so far.
    Look(Found, Option<ProblemKind>),
}

/// A batch, ready to be applied.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) changes: Vec<FileChange>,
    /// How many steps went into it.
    pub(crate) steps: u64,
    /// How many files could not be read.
    pub(crate) faults: u64,
    /// Paths to look at again: they changed while they were read.
    pub(crate) again: Vec<String>,
}

/// Cuts a plan, and the removals that are due, into batches: names first, then content.
pub(crate) fn batches(plan: Plan, removals: Vec<String>) -> VecDeque<Vec<Step>> {
    let moves = plan
        .moves
        .into_iter()
        .map(|(from, to, stamp)| Step::Tell(FileChange::Move { from, to, stamp }));
    let removals = removals
        .into_iter()
        .map(|path| Step::Tell(FileChange::Remove { path }));
    let looks = plan
        .changed
        .into_iter()
        .map(|(found, fault)| Step::Look(found, fault));
    let mut batches = VecDeque::new();
    let mut batch = Vec::new();
    let mut batch_bytes = 0;
    for step in moves.chain(removals).chain(looks) {
        let bytes = match &step {
            Step::Look(
                Found {
                    class: Class::Note,
                    stamp,
                    ..
                },
                _,
            ) => stamp.size,
            _ => 0,
        };
        let is_full = batch.len() >= BATCH_CHANGES_MAX || batch_bytes + bytes > BATCH_BYTES_MAX;
        if is_full && !batch.is_empty() {
            batches.push_back(std::mem::take(&mut batch));
            batch_bytes = 0;
        }
        batch_bytes += bytes;
        batch.push(step);
    }
    if !batch.is_empty() {
        batches.push_back(batch);
    }
    batches
}

/// Reads what a batch needs. Blocks.
pub(crate) fn prepare(folder: &VaultFolder, steps: Vec<Step>) -> Prepared {
    let mut prepared = Prepared {
        steps: steps.len() as u64,
        ..Prepared::default()
    };
    for step in steps {
        match step {
            Step::Tell(change) => prepared.changes.push(change),
            Step::Look(found, fault) => prepared.look(folder, found, fault),
        }
    }
    prepared
}

impl Prepared {
    fn look(&mut self, folder: &VaultFolder, found: Found, skipped_as: Option<ProblemKind>) {
        let Found { path, stamp, class } = found;
        let (problem, stamp) = match class {
            Class::Attachment => {
                let content = FileContent::Attachment;
                return self.changes.push(FileChange::Upsert {
                    path,
                    stamp,
                    content,
                });
            }
            Class::Fault(problem) => (problem, stamp),
            Class::Note => match read_note(folder, &path, || ()) {
                ReadNote::Whole {
                    content,
                    stamp,
                    steady,
                } => {
                    return self.upsert(path, stamp, content, steady);
                }
                // Whether it is really gone, or about to be replaced, shows a moment later.
                ReadNote::Gone => return self.again.push(path),
                ReadNote::Fault { problem, stamp } => {
                    self.faults += 1;
                    (problem, stamp)
                }
            },
        };
        if skipped_as != Some(problem.kind) {
            self.changes.push(FileChange::Skip {
                problem,
                stamp: Some(stamp),
            });
        }
    }

    fn upsert(&mut self, path: String, stamp: FileStamp, content: Bytes, steady: bool) {
        if !steady {
            self.again.push(path.clone());
        }
        let content = FileContent::Note(content);
        self.changes.push(FileChange::Upsert {
            path,
            stamp,
            content,
        });
    }
}

/// What an applied batch makes known.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    puts: Vec<(String, Entry)>,
    drops: Vec<String>,
    pub(crate) upserted: u64,
    pub(crate) moved: u64,
    pub(crate) removed: u64,
}

impl Effects {
    pub(crate) fn of(changes: &[FileChange]) -> Self {
        let mut effects = Self::default();
        for change in changes {
            match change {
                FileChange::Upsert { path, stamp, .. } => {
                    effects.upserted += 1;
                    effects.put(
                        path,
                        Entry {
                            stamp: *stamp,
                            fault: None,
                        },
                    );
                }
                FileChange::Move { from, to, stamp } => {
                    effects.moved += 1;
                    effects.drops.push(from.clone());
                    effects.put(
                        to,
                        Entry {
                            stamp: *stamp,
                            fault: None,
                        },
                    );
                }
                FileChange::Remove { path } => {
                    effects.removed += 1;
                    effects.drops.push(path.clone());
                }
                FileChange::Skip { problem, stamp } => {
                    let stamp = stamp.unwrap_or(crate::stamp::NEVER);
                    effects.put(
                        &problem.path,
                        Entry {
                            stamp,
                            fault: Some(problem.kind),
                        },
                    );
                }
            }
        }
        effects
    }

    fn put(&mut self, path: &str, entry: Entry) {
        self.puts.push((path.to_owned(), entry));
    }

    /// Takes the effects over. Names leave before others come, as in the batch itself.
    pub(crate) fn take_over(self, known: &mut Known) {
        for path in &self.drops {
            known.remove(path);
        }
        for (path, entry) in self.puts {
            known.insert(path, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(number: u64, size: u64) -> (Found, Option<ProblemKind>) {
        let stamp = FileStamp {
            size,
            modified_ns: 0,
            inode: number,
        };
        (
            Found {
                path: format!("{number}.md"),
                stamp,
                class: Class::Note,
            },
            None,
        )
    }

    fn sizes(changed: Vec<(Found, Option<ProblemKind>)>) -> Vec<usize> {
        let plan = Plan {
            changed,
            ..Plan::default()
        };
        batches(plan, Vec::new()).iter().map(Vec::len).collect()
    }

    #[test]
    fn batches_are_bounded_by_count() {
        assert_eq!(
            sizes((0..1100).map(|number| note(number, 10)).collect()),
            [512, 512, 76]
        );
    }

    #[test]
    fn batches_are_bounded_by_content_and_a_huge_note_is_alone() {
        let mib = 1024 * 1024;
        let notes = vec![
            note(0, mib),
            note(1, 50 * mib),
            note(2, 4 * mib),
            note(3, 4 * mib),
        ];
        assert_eq!(sizes(notes), [1, 1, 2]);
    }

    #[test]
    fn nothing_to_do_makes_no_batch() {
        assert!(batches(Plan::default(), Vec::new()).is_empty());
    }
}
