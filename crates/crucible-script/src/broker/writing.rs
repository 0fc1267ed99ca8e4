//! Changes of notes: looked at by their resolved path, made through the writer with the hash that
//! the script has seen, told instead of made in a dry run.

use crucible_services::note_writer::{
    self, CreateNote, DeleteNote, Edit, EditNote, MoveNote, Written,
};
use serde_json::json;

use super::reading::written;
use super::{Answer, Broker};
use crate::capability::Capability;
use crate::protocol::HostError;

/// How often an addition is tried again when somebody else wrote in between.
const TRIES_MAX: usize = 4;

impl Broker {
    pub(super) async fn create(&self, path: String, text: String) -> Answer {
        let path = self.writable(&path).await?;
        if self.is_rehearsal(|| format!("create {path} ({} bytes)", text.len())) {
            return Ok(written(&path, None));
        }
        let request = CreateNote { path, text };
        let outcome = self.desk.host.writer.create(request, self.author()).await;
        answer(outcome)
    }

    pub(super) async fn overwrite(&self, path: String, seen: String, text: String) -> Answer {
        self.edit(path, seen, vec![Edit::Overwrite { text }]).await
    }

    pub(super) async fn edit(&self, path: String, seen: String, edits: Vec<Edit>) -> Answer {
        let path = self.writable(&path).await?;
        if self.is_rehearsal(|| format!("change {path}: {}", describe(&edits))) {
            return Ok(written(&path, Some(&seen)));
        }
        let request = EditNote { path, seen, edits };
        let outcome = self.desk.host.writer.edit(request, self.author()).await;
        answer(outcome)
    }

    /// Adds to a note whatever it holds by now, and creates it when it is not there.
    pub(super) async fn append(&self, path: String, text: String) -> Answer {
        let path = self.writable(&path).await?;
        if self.is_rehearsal(|| format!("append {} bytes to {path}", text.len())) {
            return Ok(written(&path, None));
        }
        let edit = Edit::Append { text: text.clone() };
        match self.add(&path, edit).await {
            Err(note_writer::Error::NotFound { .. }) => {}
            outcome => return answer(outcome),
        }
        let request = CreateNote {
            path: path.clone(),
            text: text.clone(),
        };
        match self.desk.host.writer.create(request, self.author()).await {
            // Somebody else created it in between.
            Err(note_writer::Error::Exists { .. }) => {
                answer(self.add(&path, Edit::Append { text }).await)
            }
            outcome => answer(outcome),
        }
    }

    pub(super) async fn append_to_section(
        &self,
        path: String,
        heading: String,
        text: String,
    ) -> Answer {
        let path = self.writable(&path).await?;
        if self.is_rehearsal(|| format!("append {} bytes to {path} below {heading:?}", text.len()))
        {
            return Ok(written(&path, None));
        }
        answer(
            self.add(&path, Edit::AppendToSection { heading, text })
                .await,
        )
    }

    pub(super) async fn rename(&self, from: String, to: String, seen: String) -> Answer {
        let from = self.writable(&from).await?;
        let to = self.writable(&to).await?;
        let update_links = self.may_write_all_linking(&from).await;
        if self.is_rehearsal(|| format!("move {from} to {to}")) {
            return Ok(written(&to, Some(&seen)));
        }
        let request = MoveNote {
            from,
            to,
            seen,
            update_links,
        };
        let outcome = self.desk.host.writer.rename(request, self.author()).await;
        let mut moved = answer(outcome)?;
        if let Some(fields) = moved.as_object_mut() {
            fields.insert("links_updated".to_owned(), json!(update_links));
        }
        Ok(moved)
    }

    pub(super) async fn delete(&self, path: String, seen: String) -> Answer {
        let path = self.writable(&path).await?;
        if self.is_rehearsal(|| format!("delete {path}")) {
            return Ok(written(&path, None));
        }
        let request = DeleteNote { path, seen };
        answer(self.desk.host.writer.delete(request, self.author()).await)
    }

    /// Makes an edit that does not depend on what the note holds, so a conflict is no obstacle.
    async fn add(&self, path: &str, edit: Edit) -> Result<Written, note_writer::Error> {
        let missing = || note_writer::Error::NotFound {
            path: path.to_owned(),
        };
        let note = self.desk.host.store.note(path).await;
        let summary = note.map_err(|_| missing())?.summary;
        if summary.path != path {
            return Err(missing());
        }
        let mut seen = summary.hash;
        let mut tries = 1;
        loop {
            let request = EditNote {
                path: path.to_owned(),
                seen,
                edits: vec![edit.clone()],
            };
            match self.desk.host.writer.edit(request, self.author()).await {
                Err(note_writer::Error::Conflict {
                    current: Some(current),
                    ..
                }) if tries < TRIES_MAX => {
                    seen = current;
                    tries += 1;
                }
                Err(note_writer::Error::Conflict { current: None, .. }) => return Err(missing()),
                outcome => return outcome,
            }
        }
    }

    /// Returns the resolved path of a note that the script may create or change. Changes name
    /// paths, never titles: the writer touches exactly the file that was looked at here.
    async fn writable(&self, path: &str) -> Result<String, HostError> {
        let path = canonical(path)?;
        if self.visit.read_only {
            let message = "this tool says `read_only = true`, so it cannot change notes";
            return Err(HostError::new("denied", message));
        }
        if self.visit.scopes.may_write(&path) {
            Ok(path)
        } else {
            Err(self.deny(Capability::NotesWrite(path)).await)
        }
    }

    /// Says whether every note that links to this one may be changed by the script.
    async fn may_write_all_linking(&self, path: &str) -> bool {
        match self.desk.host.store.links(path).await {
            Ok(links) => links
                .backlinks
                .iter()
                .all(|link| self.visit.scopes.may_write(&link.path)),
            Err(_) => false,
        }
    }
}

/// Returns the one way to write a vault path: relative, with `.md`, without detours.
fn canonical(path: &str) -> Result<String, HostError> {
    let invalid = |why: &str| {
        HostError::new(
            "invalid",
            format!("{path:?} cannot be a note's path: {why}"),
        )
    };
    if path.is_empty() || path.starts_with('/') {
        return Err(invalid("it must be relative to the vault"));
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return Err(invalid(
            "it has a backslash or a control character; folders are parted by /",
        ));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(invalid("it has empty parts, . or .."));
    }
    let has_ending = path.len() > 3 && path.to_ascii_lowercase().ends_with(".md");
    Ok(if has_ending {
        path.to_owned()
    } else {
        format!("{path}.md")
    })
}

fn describe(edits: &[Edit]) -> String {
    let words: Vec<String> = edits
        .iter()
        .map(|edit| match edit {
            Edit::Overwrite { text } => format!("overwrite with {} bytes", text.len()),
            Edit::Replace { old, new } => {
                format!("replace {} bytes by {}", old.len(), new.len())
            }
            Edit::Append { text } => format!("append {} bytes", text.len()),
            Edit::Prepend { text } => format!("prepend {} bytes", text.len()),
            Edit::AppendToSection { heading, text } => {
                format!("append {} bytes below {heading:?}", text.len())
            }
            Edit::ReplaceSection { heading, .. } => format!("replace the section {heading:?}"),
        })
        .collect();
    words.join(", ")
}

/// Words what the writer says. The content of a conflict is not told: the script may not be
/// allowed to read it.
fn answer(outcome: Result<Written, note_writer::Error>) -> Answer {
    let error = match outcome {
        Ok(done) => return Ok(written(&done.path, done.hash.as_deref())),
        Err(error) => error,
    };
    let kind = match &error {
        note_writer::Error::NotFound { .. } => "not_found",
        note_writer::Error::Exists { .. } => "exists",
        note_writer::Error::InvalidPath { .. } | note_writer::Error::EditRefused { .. } => {
            "invalid"
        }
        note_writer::Error::Conflict { .. } => "conflict",
        note_writer::Error::ReadOnly { .. } => "unavailable",
        _ => "failed",
    };
    Err(HostError::new(kind, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form_and_stays_in_the_vault() {
        assert_eq!(canonical("Log/Today").unwrap(), "Log/Today.md");
        assert_eq!(canonical("Log/Today.md").unwrap(), "Log/Today.md");
        assert_eq!(canonical("v1.2").unwrap(), "v1.2.md");
        for path in [
            "", "/a", "../a", "a/../b", "a//b", "./a", "a\\b", "a\nb", "a/",
        ] {
            assert_eq!(canonical(path).unwrap_err().kind, "invalid", "{path:?}");
        }
    }
}
