//! Changes of notes through a daemon, as a [`NoteWriter`].
//!
//! The daemon records the name of the token as the author: what a caller says about itself is not
//! believed, and is not sent.

use async_trait::async_trait;
use crucible_services::note_writer::{
    Author, Change, CreateNote, DeleteNote, EditNote, Error, MoveNote, NoteWriter, Written,
};
use hyper::Method;

use super::Client;
use super::target::Target;
use crate::routes::writing::{Edits, HISTORY_MAX, Undo};

#[async_trait]
impl NoteWriter for Client {
    async fn create(&self, request: CreateNote, _by: Author) -> Result<Written, Error> {
        let answer = self.http.tell(Method::POST, "/api/v1/notes", &request);
        Ok(answer.await?)
    }

    async fn edit(&self, request: EditNote, _by: Author) -> Result<Written, Error> {
        let target = of_note(&request.path)?;
        let edits = Edits {
            seen: request.seen,
            edits: request.edits,
        };
        let answer = self.http.tell(Method::PATCH, &target.text, &edits);
        Ok(answer.await?)
    }

    async fn rename(&self, request: MoveNote, _by: Author) -> Result<Written, Error> {
        let answer = self.http.tell(Method::POST, "/api/v1/moves", &request);
        Ok(answer.await?)
    }

    async fn delete(&self, request: DeleteNote, _by: Author) -> Result<Written, Error> {
        let target = of_note(&request.path)?.with("seen", &request.seen);
        Ok(self.http.ask(Method::DELETE, &target.text).await?)
    }

    async fn undo(&self, change: Option<&str>, _by: Author) -> Result<Written, Error> {
        let undo = Undo {
            change: change.map(str::to_owned),
        };
        let answer = self.http.tell(Method::POST, "/api/v1/undo", &undo);
        Ok(answer.await?)
    }

    async fn history(&self, path: Option<&str>, limit: usize) -> Result<Vec<Change>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let target = Target::new("/api/v1/history")
            .with_some("path", path)
            .with("limit", &limit.min(HISTORY_MAX).to_string());
        Ok(self.http.get(&target.text).await?)
    }
}

/// Returns the address of a note; the empty path has none.
fn of_note(path: &str) -> Result<Target, Error> {
    if path.is_empty() {
        return Err(Error::InvalidPath {
            path: String::new(),
            reason: "it is empty".to_owned(),
        });
    }
    Ok(Target::new("/api/v1/notes").segment(path))
}
