//! A writer in memory that does what a real one promises, for one note at `Home.md`.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use crucible_services::note_writer::{
    Author, Change, ChangeAction, CreateNote, DeleteNote, EditNote, Error, MoveNote, NoteWriter,
    Written,
};
use jiff::Timestamp;

/// The hash of what `Home.md` holds.
pub(crate) const HASH: &str = "1111";
/// What it holds.
pub(crate) const TEXT: &str = "# Home\n\nnow\n";

/// Remembers who asked for what.
#[derive(Default)]
pub(crate) struct WriterTwin {
    done: Mutex<Vec<(String, ChangeAction, String)>>,
}

impl WriterTwin {
    /// Returns who did what to which note, in order.
    pub(crate) fn done(&self) -> Vec<(String, ChangeAction, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, ChangeAction, String)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, by: Author, action: ChangeAction, path: String) -> Written {
        self.lock().push((by.name, action, path.clone()));
        Written {
            change: format!("c{}", self.lock().len()),
            path,
            hash: (action != ChangeAction::Delete).then(|| HASH.to_owned()),
            also: Vec::new(),
        }
    }

    fn check(path: &str, seen: &str) -> Result<(), Error> {
        if path != "Home.md" {
            return Err(Error::NotFound {
                path: path.to_owned(),
            });
        }
        if seen != HASH {
            return Err(Error::Conflict {
                path: path.to_owned(),
                seen: seen.to_owned(),
                current: Some(HASH.to_owned()),
                text: Some(TEXT.to_owned()),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl NoteWriter for WriterTwin {
    async fn create(&self, request: CreateNote, by: Author) -> Result<Written, Error> {
        if request.path == "Home.md" {
            return Err(Error::Exists { path: request.path });
        }
        if request.path.contains("..") {
            return Err(Error::InvalidPath {
                path: request.path,
                reason: "it leads out of the vault".to_owned(),
            });
        }
        Ok(self.write(by, ChangeAction::Create, request.path))
    }

    async fn edit(&self, request: EditNote, by: Author) -> Result<Written, Error> {
        Self::check(&request.path, &request.seen)?;
        if request.edits.is_empty() {
            return Err(Error::EditRefused {
                index: 1,
                reason: "there is no edit".to_owned(),
            });
        }
        Ok(self.write(by, ChangeAction::Edit, request.path))
    }

    async fn rename(&self, request: MoveNote, by: Author) -> Result<Written, Error> {
        Self::check(&request.from, &request.seen)?;
        Ok(self.write(by, ChangeAction::Move, request.to))
    }

    async fn delete(&self, request: DeleteNote, by: Author) -> Result<Written, Error> {
        Self::check(&request.path, &request.seen)?;
        Ok(self.write(by, ChangeAction::Delete, request.path))
    }

    async fn undo(&self, change: Option<&str>, by: Author) -> Result<Written, Error> {
        if change == Some("c0") {
            let reason = "no change is called \"c0\"".to_owned();
            return Err(Error::NothingToUndo { reason });
        }
        Ok(self.write(by, ChangeAction::Undo, "Home.md".to_owned()))
    }

    async fn history(&self, path: Option<&str>, limit: usize) -> Result<Vec<Change>, Error> {
        let done = self.done();
        let of_path = done
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, (_, _, at))| path.is_none_or(|path| path == at));
        Ok(of_path
            .take(limit)
            .map(|(index, (by, action, path))| Change {
                id: format!("c{}", index + 1),
                at: Timestamp::UNIX_EPOCH,
                by: by.clone(),
                action: *action,
                path: path.clone(),
                from: None,
                before: None,
                after: Some(HASH.to_owned()),
                also: Vec::new(),
                undone_by: None,
            })
            .collect())
    }
}
