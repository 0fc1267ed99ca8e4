//! Carries a change out: all of its files, or none.
//!
//! The order, and why: what is replaced is kept (so that it can come back), the change is written
//! down (so that a crash is noticed), new contents are staged beside their files (so that a full
//! disk is noticed before anything is touched), each file is looked at once more, each name is
//! switched, the folders are synced. See `docs/design/safe-writes.md`.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use crucible_services::note_index::{FileChange, FileContent, FileStamp};
use crucible_services::note_writer::Error;

use super::fault;
use super::history::History;
use super::place::{Current, Place, split};
use super::record::{Entry, Step, hash_of};
use crate::folder::VaultFolder;

/// The longest content that a conflict tells, in bytes.
const CONFLICT_TEXT_BYTES_MAX: usize = 64 * 1024;

/// A change that is ready to be carried out.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) entry: Entry,
    /// The new contents, one for each step; `None` where there is none or it moves along.
    pub(super) contents: Vec<Option<Bytes>>,
    /// The former contents, to be kept.
    pub(super) former: Vec<Vec<u8>>,
}

/// Carries a change out and returns what the index is to be told. `before_switch` runs after the
/// last look at the files is prepared and before it is taken.
pub(super) fn carry_out(
    folder: &VaultFolder,
    history: &mut History,
    planned: &Planned,
    before_switch: impl FnOnce(),
) -> Result<Vec<FileChange>, Error> {
    for former in &planned.former {
        history
            .blobs
            .keep(former)
            .map_err(|error| fault::of_record(&error))?;
    }
    history
        .begin(&planned.entry)
        .map_err(|error| fault::of_record(&error))?;
    let mut work = Work {
        folder,
        entry: &planned.entry,
        places: BTreeMap::new(),
    };
    let made = work.make(planned, before_switch);
    match made {
        Ok(changes) => {
            if let Err(error) = history.done() {
                // The files themselves say so at the next open.
                tracing::warn!(%error, "a change was made, but the record could not be completed");
            }
            Ok(changes)
        }
        Err(error) => {
            put_back(folder, history, &planned.entry, Known::Failed)?;
            Err(error)
        }
    }
}

struct Work<'a> {
    folder: &'a VaultFolder,
    entry: &'a Entry,
    /// The open folders, by path.
    places: BTreeMap<String, Place>,
}

impl Work<'_> {
    fn make(
        &mut self,
        planned: &Planned,
        before_switch: impl FnOnce(),
    ) -> Result<Vec<FileChange>, Error> {
        let mut stamps = Vec::new();
        for (number, step) in self.entry.steps.iter().enumerate() {
            let content = planned.contents.get(number).and_then(Option::as_ref);
            let stamp = self.stage(number, step, content);
            stamps.push(stamp.map_err(|error| fault::of_system(&step.path, &error))?);
        }
        before_switch();
        for step in &self.entry.steps {
            self.check(step)?;
        }
        for (number, step) in self.entry.steps.iter().enumerate() {
            self.switch(number, step)?;
        }
        for (path, place) in &self.places {
            place
                .sync()
                .map_err(|error| fault::of_system(path, &error))?;
        }
        let mut changes = Vec::new();
        for (number, step) in self.entry.steps.iter().enumerate() {
            let content = planned.contents.get(number).and_then(Option::clone);
            self.tell(
                step,
                stamps.get(number).copied().flatten(),
                content,
                &mut changes,
            )?;
        }
        Ok(changes)
    }

    /// Opens the step's folder and writes the new content beside the file.
    fn stage(
        &mut self,
        number: usize,
        step: &Step,
        content: Option<&Bytes>,
    ) -> io::Result<Option<FileStamp>> {
        let (folder, _) = split(&step.path);
        if !self.places.contains_key(folder) {
            let place = if step.after.is_some() {
                Place::create(self.folder, folder)?
            } else {
                Place::open(self.folder, folder)?
            };
            self.places.insert(folder.to_owned(), place);
        }
        let Some(content) = content else {
            return Ok(None);
        };
        let staged = self.entry.staged_name(number);
        let place = self.place(&step.path)?;
        place.stage(&staged, content, step.mode).map(Some)
    }

    fn place(&self, path: &str) -> io::Result<&Place> {
        self.places
            .get(split(path).0)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Looks at a file for the last time before its name is switched.
    fn check(&self, step: &Step) -> Result<(), Error> {
        let system = |error: io::Error| fault::of_system(&step.path, &error);
        let place = self.place(&step.path).map_err(system)?;
        let name = split(&step.path).1;
        let is_new_spelling = step
            .moved_from
            .as_deref()
            .is_some_and(|from| self.is_same_file(from, &step.path));
        if step.before.is_none() && is_new_spelling {
            return Ok(());
        }
        let current = place
            .read(name, self.folder.note_bytes_max())
            .map_err(system)?;
        let found = current.as_ref().map(|current| hash_of(&current.bytes));
        match (&step.before, found) {
            (before, found) if *before == found => Ok(()),
            (None, Some(_)) => Err(Error::Exists {
                path: step.path.clone(),
            }),
            (before, _) => Err(conflict(&step.path, before.as_deref(), current.as_ref())),
        }
    }

    /// Says whether the system takes two names for one, as it does where case does not count.
    fn is_same_file(&self, from: &str, to: &str) -> bool {
        let stamp = |path: &str| {
            self.place(path)
                .and_then(|place| place.stamp(split(path).1))
        };
        match (stamp(from), stamp(to)) {
            (Ok(Some(from)), Ok(Some(to))) => from.inode != 0 && from == to,
            _ => false,
        }
    }

    fn switch(&self, number: usize, step: &Step) -> Result<(), Error> {
        let (_, name) = split(&step.path);
        let switched = self.place(&step.path).and_then(|place| {
            let staged = self.entry.staged_name(number);
            match (&step.moved_from, &step.before, &step.after) {
                (Some(from), ..) => {
                    let source = self.place(from)?;
                    if self.is_same_file(from, &step.path) {
                        source.rename(split(from).1, place, name)
                    } else {
                        source.put_new(split(from).1, place, name)
                    }
                }
                (None, None, Some(_)) => place.put_new(&staged, place, name),
                (None, Some(_), Some(_)) => place.put_over(&staged, name),
                // What moved away is not there any more; where two names are one, it is the new one.
                (None, _, None) if self.is_moved_away(&step.path) => Ok(()),
                (None, _, None) => place.remove(name),
            }
        });
        switched.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists {
                path: step.path.clone(),
            },
            _ => fault::of_system(&step.path, &error),
        })
    }

    fn is_moved_away(&self, path: &str) -> bool {
        let mut steps = self.entry.steps.iter();
        steps.any(|step| step.moved_from.as_deref() == Some(path))
    }

    /// Adds what the index is told of a step.
    fn tell(
        &self,
        step: &Step,
        stamp: Option<FileStamp>,
        content: Option<Bytes>,
        changes: &mut Vec<FileChange>,
    ) -> Result<(), Error> {
        let path = step.path.clone();
        let change = &self.entry.change;
        let is_renamed = |from: &str| change.from.as_deref() == Some(from);
        let stamp = match stamp {
            Some(stamp) => stamp,
            None if step.after.is_none() => crate::stamp::NEVER,
            None => self
                .place(&path)
                .and_then(|place| place.stamp(split(&path).1))
                .map_err(|error| fault::of_system(&path, &error))?
                .unwrap_or(crate::stamp::NEVER),
        };
        if step.after.is_none() {
            if !is_renamed(&path) {
                changes.push(FileChange::Remove { path });
            }
            return Ok(());
        }
        if let Some(from) = &change.from
            && path == change.path
        {
            let (from, to) = (from.clone(), path.clone());
            changes.push(FileChange::Move { from, to, stamp });
        }
        // The content goes along with a name too: an index that looked at the file while the name
        // was switched may have lost it.
        if let Some(content) = content.or_else(|| self.content_of(step)) {
            let content = FileContent::Note(content);
            changes.push(FileChange::Upsert {
                path,
                stamp,
                content,
            });
        }
        Ok(())
    }
}

impl Work<'_> {
    fn content_of(&self, step: &Step) -> Option<Bytes> {
        let place = self.place(&step.path).ok()?;
        let read = place.read(split(&step.path).1, self.folder.note_bytes_max());
        let bytes = read.ok()??.bytes;
        (step.after.as_deref() == Some(hash_of(&bytes).as_str())).then(|| bytes.into())
    }
}

/// The error that tells what a file holds instead of what the writer has seen.
pub(super) fn conflict(path: &str, seen: Option<&str>, current: Option<&Current>) -> Error {
    Error::Conflict {
        path: path.to_owned(),
        seen: seen.unwrap_or_default().to_owned(),
        current: current.map(|current| hash_of(&current.bytes)),
        text: current
            .filter(|current| current.bytes.len() <= CONFLICT_TEXT_BYTES_MAX)
            .and_then(|current| String::from_utf8(current.bytes.clone()).ok()),
    }
}

/// Where a file stands in a change that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Before,
    After,
    /// Somebody else has written to it.
    Other,
}

/// What is known of a change that was begun and not written down as made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It failed: it was not acknowledged.
    Failed,
    /// Nothing: the process ended. It may have been acknowledged.
    Nothing,
}

/// Ends a change that was begun and not written down as made.
///
/// After a crash it counts as made if no file is left as it was before, whoever has written to
/// them since; else, and if it failed, the files that are as they were to be go back to what they
/// were.
pub(super) fn put_back(
    folder: &VaultFolder,
    history: &mut History,
    entry: &Entry,
    known: Known,
) -> Result<(), Error> {
    clear_staged(folder, entry);
    let stands: Vec<Stand> = entry
        .steps
        .iter()
        .map(|step| stand(folder, step))
        .collect::<Result<_, _>>()?;
    let ended = if known == Known::Nothing && !stands.contains(&Stand::Before) {
        history.done()
    } else {
        let to_undo = || {
            let steps = entry.steps.iter().zip(&stands);
            steps
                .filter(|(_, stand)| **stand == Stand::After)
                .map(|(step, _)| step)
        };
        // What comes back first, so that at every moment each content is somewhere.
        for step in to_undo().filter(|step| step.before.is_some()) {
            restore(folder, history, entry, step)?;
        }
        for step in to_undo().filter(|step| step.before.is_none()) {
            withdraw(folder, step).map_err(|error| fault::of_system(&step.path, &error))?;
        }
        history.drop_begun()
    };
    ended.map_err(|error| fault::of_record(&error))
}

/// Takes staged files away; one that stays is hidden and harmless.
fn clear_staged(folder: &VaultFolder, entry: &Entry) {
    for (number, step) in entry.steps.iter().enumerate() {
        let removed = Place::open(folder, split(&step.path).0)
            .and_then(|place| place.remove(&entry.staged_name(number)));
        if let Err(error) = removed
            && !crate::found::is_absent(&error)
        {
            tracing::warn!(%error, "a temporary file could not be taken away");
        }
    }
}

fn stand(folder: &VaultFolder, step: &Step) -> Result<Stand, Error> {
    let read = Place::open(folder, split(&step.path).0)
        .and_then(|place| place.read(split(&step.path).1, folder.note_bytes_max()));
    let found = match read {
        Ok(current) => current.map(|current| hash_of(&current.bytes)),
        Err(error) if crate::found::is_absent(&error) => None,
        Err(error) => return Err(fault::of_system(&step.path, &error)),
    };
    Ok(if found == step.before {
        Stand::Before
    } else if found == step.after {
        Stand::After
    } else {
        Stand::Other
    })
}

/// Gives a file back the content that it had.
fn restore(
    folder: &VaultFolder,
    history: &History,
    entry: &Entry,
    step: &Step,
) -> Result<(), Error> {
    let system = |error: io::Error| fault::of_system(&step.path, &error);
    let (place_path, name) = split(&step.path);
    let place = Place::create(folder, place_path).map_err(system)?;
    let moved = entry
        .steps
        .iter()
        .find(|other| other.moved_from.as_deref() == Some(step.path.as_str()));
    if let Some(moved) = moved {
        let (moved_place, moved_name) = split(&moved.path);
        let source = Place::open(folder, moved_place).map_err(system)?;
        source.put_new(moved_name, &place, name).map_err(system)?;
        source.sync().map_err(system)?;
        return place.sync().map_err(system);
    }
    let hash = step.before.as_deref().unwrap_or_default();
    let bytes = history
        .blobs
        .get(hash)
        .map_err(|error| fault::of_record(&error))?
        .ok_or_else(|| Error::Internal {
            message: format!(
                "the former content of {:?} is damaged and cannot be put back",
                step.path
            ),
        })?;
    let staged = entry.staged_name(entry.steps.len());
    place.remove(&staged).map_err(system)?;
    place.stage(&staged, &bytes, step.mode).map_err(system)?;
    if step.after.is_some() {
        place.put_over(&staged, name).map_err(system)?;
    } else {
        place.put_new(&staged, &place, name).map_err(system)?;
    }
    place.sync().map_err(system)
}

/// Takes a file away that the change had put there.
fn withdraw(folder: &VaultFolder, step: &Step) -> io::Result<()> {
    if step.moved_from.is_some() {
        return Ok(()); // it went back under its old name
    }
    let (place_path, name) = split(&step.path);
    let place = Place::open(folder, place_path)?;
    place.remove(name)?;
    place.sync()
}

#[cfg(test)]
mod tests {
    use crucible_services::note_writer::{Author, CreateNote, Edit, EditNote};

    use super::*;
    use crate::config::VaultConfig;
    use crate::writer::{WriterConfig, plan};

    fn bench() -> (tempfile::TempDir, VaultFolder, History) {
        let at = tempfile::tempdir().unwrap();
        std::fs::create_dir(at.path().join("vault")).unwrap();
        std::fs::write(at.path().join("vault/a.md"), "mine\n").unwrap();
        let folder = VaultFolder::open(&VaultConfig::new(at.path().join("vault"))).unwrap();
        let history = History::open(&at.path().join("history"), &WriterConfig::default()).unwrap();
        (at, folder, history)
    }

    fn check_untouched(at: &tempfile::TempDir, history: &History, path: &str) {
        let vault = at.path().join("vault");
        assert_eq!(std::fs::read(vault.join(path)).unwrap(), b"theirs\n");
        let mut names: Vec<_> = std::fs::read_dir(&vault).unwrap().collect();
        names.retain(|name| {
            name.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        });
        assert!(names.is_empty(), "{names:?}");
        assert_eq!(history.newest().count(), 0);
        assert!(history.begun().is_none());
    }

    #[test]
    fn a_file_replaced_after_it_was_read_is_a_conflict() {
        let (at, folder, mut history) = bench();
        let request = EditNote {
            path: "a.md".to_owned(),
            seen: hash_of(b"mine\n"),
            edits: vec![Edit::Append {
                text: "more".to_owned(),
            }],
        };
        let planned = plan::edit(&folder, &request, &Author::new("me")).unwrap();
        let replace = || {
            let vault = at.path().join("vault");
            std::fs::write(vault.join("new"), "theirs\n").unwrap();
            std::fs::rename(vault.join("new"), vault.join("a.md")).unwrap();
        };
        let refused = carry_out(&folder, &mut history, &planned, replace);
        assert!(
            matches!(refused, Err(Error::Conflict { .. })),
            "{refused:?}"
        );
        check_untouched(&at, &history, "a.md");
    }

    #[test]
    fn a_file_that_appears_while_it_is_created_is_kept() {
        let (at, folder, mut history) = bench();
        let request = CreateNote {
            path: "b".to_owned(),
            text: "mine\n".to_owned(),
        };
        let planned = plan::create(&folder, request, &Author::new("me")).unwrap();
        let appear = || std::fs::write(at.path().join("vault/b.md"), "theirs\n").unwrap();
        let refused = carry_out(&folder, &mut history, &planned, appear);
        assert!(matches!(refused, Err(Error::Exists { .. })), "{refused:?}");
        check_untouched(&at, &history, "b.md");
    }
}
