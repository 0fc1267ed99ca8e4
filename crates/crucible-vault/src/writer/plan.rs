//! What a request comes to: which files get which content. Reads files, changes none.

use bytes::Bytes;
use crucible_notes::{Decoded, decode, edit};
use crucible_services::clock;
use crucible_services::note_writer::{
    Author, Change, ChangeAction, CreateNote, DeleteNote, Edit, EditNote, Error,
};

use super::carry_out::{Planned, conflict};
use super::fault;
use super::history::History;
use super::path;
use super::place::{Current, Place, split};
use super::record::{Entry, Step, hash_of};
use crate::folder::VaultFolder;
use crate::found::is_absent;

/// Plans the creation of a note.
pub(super) fn create(
    folder: &VaultFolder,
    request: CreateNote,
    by: &Author,
) -> Result<Planned, Error> {
    let path = path::new(folder, &request.path)?;
    check_free(folder, &path, None)?;
    check_text(folder, &request.text, 1)?;
    let bytes = request.text.into_bytes();
    let mut entry = entry(ChangeAction::Create, &path, by);
    entry.change.after = Some(hash_of(&bytes));
    entry.steps.push(Step {
        path,
        before: None,
        after: entry.change.after.clone(),
        mode: None,
        moved_from: None,
    });
    Ok(Planned {
        entry,
        contents: vec![Some(bytes.into())],
        former: Vec::new(),
    })
}

/// Plans an edit.
pub(super) fn edit(
    folder: &VaultFolder,
    request: &EditNote,
    by: &Author,
) -> Result<Planned, Error> {
    let path = path::existing(folder, &request.path)?;
    let current = read_seen(folder, &path, &request.seen)?;
    let text = std::str::from_utf8(&current.bytes).map_err(|_| Error::EditRefused {
        index: 1,
        reason: "the note is not UTF-8 text, so that its bytes could not be kept; convert it to \
                 UTF-8 first"
            .to_owned(),
    })?;
    let new = edited(text, &request.edits)?;
    if new == text {
        return Err(Error::EditRefused {
            index: request.edits.len().max(1),
            reason: "nothing would change: the note has this text already".to_owned(),
        });
    }
    check_text(folder, &new, request.edits.len())?;
    let mut entry = entry(ChangeAction::Edit, &path, by);
    let mut planned = Planned {
        contents: Vec::new(),
        former: Vec::new(),
        entry: {
            entry.change.before = Some(hash_of(&current.bytes));
            entry.change.after = Some(hash_of(new.as_bytes()));
            entry
        },
    };
    planned.replace(path, current, new.into());
    Ok(planned)
}

/// Applies edits one after the other.
fn edited(text: &str, edits: &[Edit]) -> Result<String, Error> {
    let mut text = text.to_owned();
    for (number, change) in edits.iter().enumerate() {
        let new = match change {
            Edit::Overwrite { text: new } => Ok(edit::overwrite(&text, new)),
            Edit::Replace { old, new } => edit::replace(&text, old, new),
            Edit::Append { text: added } => Ok(edit::append(&text, added)),
            Edit::Prepend { text: added } => Ok(edit::prepend(&text, added)),
            Edit::AppendToSection {
                heading,
                text: added,
            } => edit::append_to_section(&text, heading, added),
            Edit::ReplaceSection { heading, text: new } => {
                edit::replace_section(&text, heading, new)
            }
        };
        text = new.map_err(|refusal| Error::EditRefused {
            index: number + 1,
            reason: refusal.reason,
        })?;
    }
    Ok(text)
}

/// Plans a deletion.
pub(super) fn delete(
    folder: &VaultFolder,
    request: &DeleteNote,
    by: &Author,
) -> Result<Planned, Error> {
    let path = path::existing(folder, &request.path)?;
    let current = read_seen(folder, &path, &request.seen)?;
    let mut entry = entry(ChangeAction::Delete, &path, by);
    entry.change.before = Some(hash_of(&current.bytes));
    entry.steps.push(Step {
        path,
        before: entry.change.before.clone(),
        after: None,
        mode: Some(current.mode),
        moved_from: None,
    });
    Ok(Planned {
        entry,
        contents: vec![None],
        former: vec![current.bytes],
    })
}

/// Plans the undoing of a change.
pub(super) fn undo(
    folder: &VaultFolder,
    history: &History,
    change: Option<&str>,
    by: &Author,
) -> Result<Planned, Error> {
    let undone = to_undo(history, change)?.clone();
    let mut entry = entry(ChangeAction::Undo, &undone.change.path, by);
    entry.undoes = Some(undone.change.id.clone());
    entry.change.before.clone_from(&undone.change.after);
    entry.change.after.clone_from(&undone.change.before);
    entry.change.also.clone_from(&undone.change.also);
    if let Some(from) = &undone.change.from {
        entry.change.from = Some(undone.change.path.clone());
        entry.change.path.clone_from(from);
    }
    let mut planned = Planned {
        entry,
        contents: Vec::new(),
        former: Vec::new(),
    };
    for step in &undone.steps {
        planned.reverse(folder, history, &undone, step)?;
    }
    Ok(planned)
}

fn to_undo<'h>(history: &'h History, change: Option<&str>) -> Result<&'h Entry, Error> {
    let nothing = |reason: String| Error::NothingToUndo { reason };
    let Some(id) = change else {
        return history
            .newest()
            .find(|entry| entry.change.undone_by.is_none() && entry.undoes.is_none())
            .ok_or_else(|| nothing("there is no change that is not undone yet".to_owned()));
    };
    let entry = history
        .find(id)
        .ok_or_else(|| nothing(format!("no change {id:?} is remembered; see the history")))?;
    match &entry.change.undone_by {
        Some(by) => Err(nothing(format!(
            "change {id} was undone already, by {by}; undo that to bring it back"
        ))),
        None => Ok(entry),
    }
}

impl Planned {
    /// Adds the step that replaces the content of a file.
    pub(super) fn replace(&mut self, path: String, current: Current, new: Bytes) {
        self.entry.steps.push(Step {
            path,
            before: Some(hash_of(&current.bytes)),
            after: Some(hash_of(&new)),
            mode: Some(current.mode),
            moved_from: None,
        });
        self.contents.push(Some(new));
        self.former.push(current.bytes);
    }

    /// Adds the step that brings one file back to where it was before `step`.
    fn reverse(
        &mut self,
        folder: &VaultFolder,
        history: &History,
        undone: &Entry,
        step: &Step,
    ) -> Result<(), Error> {
        let current = read(folder, &step.path)?;
        let found = current.as_ref().map(|current| hash_of(&current.bytes));
        if found != step.after {
            return Err(conflict(
                &step.path,
                step.after.as_deref(),
                current.as_ref(),
            ));
        }
        let moved_from = undone
            .steps
            .iter()
            .find(|other| other.moved_from.as_deref() == Some(step.path.as_str()))
            .map(|other| other.path.clone());
        let content = match (&step.before, &moved_from) {
            (Some(hash), None) => Some(former(history, hash)?),
            _ => None,
        };
        self.entry.steps.push(Step {
            path: step.path.clone(),
            before: step.after.clone(),
            after: step.before.clone(),
            mode: current.as_ref().map(|current| current.mode).or(step.mode),
            moved_from,
        });
        self.contents.push(content);
        // What moves back is kept under the other path's step.
        self.former.extend(current.map(|current| current.bytes));
        Ok(())
    }
}

fn former(history: &History, hash: &str) -> Result<Bytes, Error> {
    let kept = history
        .blobs
        .get(hash)
        .map_err(|error| fault::of_record(&error))?;
    kept.map(Bytes::from).ok_or_else(|| Error::NothingToUndo {
        reason: "the former content is not kept any more, or is damaged".to_owned(),
    })
}

/// Begins the record of a change.
pub(super) fn entry(action: ChangeAction, path: &str, by: &Author) -> Entry {
    Entry {
        change: Change {
            id: uuid::Uuid::now_v7().simple().to_string(),
            at: clock::now(),
            by: by.name.clone(),
            action,
            path: path.to_owned(),
            from: None,
            before: None,
            after: None,
            also: Vec::new(),
            undone_by: None,
        },
        steps: Vec::new(),
        undoes: None,
    }
}

/// Reads a file; `None` when nothing is there.
pub(super) fn read(folder: &VaultFolder, path: &str) -> Result<Option<Current>, Error> {
    let read = Place::open(folder, split(path).0)
        .and_then(|place| place.read(split(path).1, folder.note_bytes_max()));
    match read {
        Ok(current) => Ok(current),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) if is_absent(&error) => Err(path::invalid(
            path,
            "a folder on the way is a file or a link, and links are not followed".to_owned(),
        )),
        Err(error) => Err(path::invalid(path, format!("{error}"))),
    }
}

/// Reads a note that must have the content that the writer has seen.
pub(super) fn read_seen(folder: &VaultFolder, path: &str, seen: &str) -> Result<Current, Error> {
    let current = read(folder, path)?.ok_or_else(|| Error::NotFound {
        path: path.to_owned(),
    })?;
    if !hash_of(&current.bytes).eq_ignore_ascii_case(seen) {
        return Err(conflict(path, Some(seen), Some(&current)));
    }
    Ok(current)
}

/// Refuses a path that a file has, whatever the case or Unicode form of its name; `but` is the
/// file that is to get the path.
pub(super) fn check_free(folder: &VaultFolder, path: &str, but: Option<&str>) -> Result<(), Error> {
    let (place, name) = split(path);
    let names = match Place::open(folder, place).and_then(|place| place.names()) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if is_absent(&error) => {
            return Err(path::invalid(
                path,
                "a folder on the way is a file or a link, and links are not followed".to_owned(),
            ));
        }
        Err(error) => return Err(fault::of_system(path, &error)),
    };
    let wanted = crucible_notes::names::fold(name);
    let taken = names
        .iter()
        .filter(|other| crucible_notes::names::fold(other) == wanted)
        .map(|other| match place {
            "" => other.clone(),
            place => format!("{place}/{other}"),
        })
        .find(|other| Some(other.as_str()) != but);
    taken.map_or(Ok(()), |path| Err(Error::Exists { path }))
}

/// Refuses text that the index would not take for a note.
fn check_text(folder: &VaultFolder, text: &str, index: usize) -> Result<(), Error> {
    let bytes_max = folder.note_bytes_max();
    let reason = if text.len() as u64 > bytes_max {
        format!(
            "the note would have {} bytes, and the limit is {bytes_max}; split it",
            text.len()
        )
    } else if matches!(decode(text.as_bytes()), Decoded::Binary) {
        "the text has so many control characters that it would be taken for binary data; leave \
         them out"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(Error::EditRefused {
        index: index.max(1),
        reason,
    })
}
