//! A vault in memory: the twin of the store and the writer, for tests of scripts.
//!
//! Names resolve as in a vault, edits are the real ones, hashes are checked. Search is plain: a
//! note matches when it holds every word. Nothing can be undone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use crucible_notes::edit;
use crucible_services::clock;
use crucible_services::note_writer::{
    Author, Change, ChangeAction, CreateNote, DeleteNote, Edit, EditNote, Error, MoveNote,
    NoteWriter, Written,
};

/// The largest fixture, in bytes.
const NOTE_BYTES_MAX: u64 = 1024 * 1024;

/// Notes by path, with the record of changes. A clone is a copy of its own.
#[derive(Debug, Default)]
pub struct MemoryVault {
    notes: Mutex<BTreeMap<String, Arc<str>>>,
    changes: Mutex<Vec<Change>>,
}

impl Clone for MemoryVault {
    fn clone(&self) -> Self {
        Self {
            notes: Mutex::new(self.notes().clone()),
            changes: Mutex::new(self.changes().clone()),
        }
    }
}

impl MemoryVault {
    /// Creates a vault of the given paths and texts.
    pub fn new<'a>(notes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let notes = notes.into_iter();
        let notes = notes.map(|(path, text)| (path.to_owned(), Arc::from(text)));
        Self {
            notes: Mutex::new(notes.collect()),
            changes: Mutex::default(),
        }
    }

    /// Reads the notes below a folder; there are none when there is no folder.
    ///
    /// # Errors
    /// When the operating system refuses, or a note is no text.
    pub fn read(folder: &Path) -> std::io::Result<Self> {
        let mut notes = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(below) = folders.pop() {
            let entries = match fs::read_dir(&below) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let path = entry.path();
                let kind = entry.file_type()?;
                let is_note = path.extension().is_some_and(|ending| ending == "md");
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && is_note && entry.metadata()?.len() <= NOTE_BYTES_MAX {
                    let inside = path.strip_prefix(folder).unwrap_or(&path);
                    let parts = inside.components();
                    let parts: Vec<_> = parts
                        .map(|part| part.as_os_str().to_string_lossy().into_owned())
                        .collect();
                    notes.insert(parts.join("/"), Arc::from(fs::read_to_string(&path)?));
                }
            }
        }
        Ok(Self {
            notes: Mutex::new(notes),
            changes: Mutex::default(),
        })
    }

    /// Returns the text of the note at exactly this path.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<Arc<str>> {
        self.notes().get(path).cloned()
    }

    /// Returns the paths of all notes, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.notes().keys().cloned().collect()
    }

    /// Puts a note at a path as if somebody else had written it.
    pub fn put(&self, path: &str, text: &str) {
        self.notes().insert(path.to_owned(), Arc::from(text));
    }

    /// Removes a note as if somebody else had deleted it.
    pub fn remove(&self, path: &str) {
        self.notes().remove(path);
    }

    /// Returns the changes that were made, oldest first.
    #[must_use]
    pub fn made(&self) -> Vec<Change> {
        self.changes().clone()
    }

    pub(super) fn notes(&self) -> MutexGuard<'_, BTreeMap<String, Arc<str>>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the note's text, if it is the one that the writer has seen.
    fn seen(&self, path: &str, seen: &str) -> Result<Arc<str>, Error> {
        let text = self.text(path).ok_or_else(|| Error::NotFound {
            path: path.to_owned(),
        })?;
        let current = hash(&text);
        if current == seen {
            return Ok(text);
        }
        Err(Error::Conflict {
            path: path.to_owned(),
            seen: seen.to_owned(),
            current: Some(current),
            text: Some(text.to_string()),
        })
    }

    fn record(&self, action: ChangeAction, path: &str, by: Author) -> Change {
        let mut changes = self.changes();
        let change = Change {
            id: (changes.len() + 1).to_string(),
            at: clock::now(),
            by: by.name,
            action,
            path: path.to_owned(),
            from: None,
            before: None,
            after: self.text(path).map(|text| hash(&text)),
            also: Vec::new(),
            undone_by: None,
        };
        changes.push(change.clone());
        change
    }
}

pub(super) fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn written(change: Change) -> Written {
    Written {
        change: change.id,
        path: change.path,
        hash: change.after,
        also: Vec::new(),
    }
}

fn with_ending(path: &str) -> String {
    match path.strip_suffix(".md") {
        Some(_) => path.to_owned(),
        None => format!("{path}.md"),
    }
}

fn apply(text: &str, edit: &Edit) -> Result<String, String> {
    let refused = |refusal: edit::Refusal| refusal.to_string();
    match edit {
        Edit::Overwrite { text: new } => Ok(edit::overwrite(text, new)),
        Edit::Replace { old, new } => edit::replace(text, old, new).map_err(refused),
        Edit::Append { text: added } => Ok(edit::append(text, added)),
        Edit::Prepend { text: added } => Ok(edit::prepend(text, added)),
        Edit::AppendToSection {
            heading,
            text: added,
        } => edit::append_to_section(text, heading, added).map_err(refused),
        Edit::ReplaceSection { heading, text: new } => {
            edit::replace_section(text, heading, new).map_err(refused)
        }
    }
}

#[async_trait]
impl NoteWriter for MemoryVault {
    async fn create(&self, request: CreateNote, by: Author) -> Result<Written, Error> {
        let path = with_ending(&request.path);
        if self.text(&path).is_some() {
            return Err(Error::Exists { path });
        }
        self.put(&path, &request.text);
        Ok(written(self.record(ChangeAction::Create, &path, by)))
    }

    async fn edit(&self, request: EditNote, by: Author) -> Result<Written, Error> {
        let mut text = self.seen(&request.path, &request.seen)?.to_string();
        for (index, edit) in request.edits.iter().enumerate() {
            text = apply(&text, edit).map_err(|reason| Error::EditRefused {
                index: index + 1,
                reason,
            })?;
        }
        self.put(&request.path, &text);
        Ok(written(self.record(ChangeAction::Edit, &request.path, by)))
    }

    async fn rename(&self, request: MoveNote, by: Author) -> Result<Written, Error> {
        let text = self.seen(&request.from, &request.seen)?;
        let to = with_ending(&request.to);
        if self.text(&to).is_some() {
            return Err(Error::Exists { path: to });
        }
        {
            let mut notes = self.notes();
            notes.remove(&request.from);
            notes.insert(to.clone(), text);
        }
        Ok(written(self.record(ChangeAction::Move, &to, by)))
    }

    async fn delete(&self, request: DeleteNote, by: Author) -> Result<Written, Error> {
        self.seen(&request.path, &request.seen)?;
        self.notes().remove(&request.path);
        Ok(written(self.record(
            ChangeAction::Delete,
            &request.path,
            by,
        )))
    }

    async fn undo(&self, _change: Option<&str>, _by: Author) -> Result<Written, Error> {
        let reason = "a vault in memory keeps no former versions".to_owned();
        Err(Error::NothingToUndo { reason })
    }

    async fn history(&self, path: Option<&str>, limit: usize) -> Result<Vec<Change>, Error> {
        let changes = self.changes();
        let newest = changes.iter().rev();
        let of_path = newest.filter(|change| path.is_none_or(|path| change.path == path));
        Ok(of_path.take(limit).cloned().collect())
    }
}
