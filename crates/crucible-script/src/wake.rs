//! Which events wake which handlers, and what of an event a script gets to see.
//!
//! Decided in the daemon, so that no worker wakes for an event that is not wanted. An event about
//! a note reaches only scripts that may read that note: its path alone would tell that it is there.

use crucible_services::events::{
    DaemonEvent, DatabaseEventType, EventPayload, EventType, FilesystemEventType,
};
use serde_json::{Value, json};

use crate::glob::{Globs, name_matches};
use crate::manifest::{Handler, is_about_notes};
use crate::scopes::Scopes;

/// The largest payload that is handed to a script, in bytes as JSON.
const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// A handler with its globs compiled.
#[derive(Clone, Debug)]
pub(crate) struct Waker {
    pub(crate) handler: Handler,
    paths: Globs,
    not_paths: Globs,
}

impl Waker {
    /// # Errors
    /// When a glob cannot be compiled.
    pub(crate) fn new(handler: &Handler) -> Result<Self, String> {
        let globs = |globs: &[String]| Globs::new(globs.iter().map(String::as_str));
        Ok(Self {
            paths: globs(&handler.paths)?,
            not_paths: globs(&handler.not_paths)?,
            handler: handler.clone(),
        })
    }

    /// Says quickly whether an event of this name can wake the handler.
    pub(crate) fn may_want(&self, name: &str) -> bool {
        // A move can look like something else to a script that sees one end of it.
        let mut events = self.handler.events.iter();
        name == "filesystem.file_moved" || events.any(|pattern| name_matches(pattern, name))
    }

    /// Says whether the handler wants what a script sees of an event; its tags are not looked at.
    pub(crate) fn wants(&self, sight: &Sight) -> bool {
        let mut events = self.handler.events.iter();
        if !events.any(|pattern| name_matches(pattern, &sight.name)) {
            return false;
        }
        if self.handler.paths.is_empty() && self.handler.not_paths.is_empty() {
            return true;
        }
        let mut paths = sight.paths.iter();
        let wanted = self.handler.paths.is_empty() || paths.any(|path| self.paths.matches(path));
        wanted && !sight.paths.iter().any(|path| self.not_paths.matches(path))
    }
}

/// What a script sees of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sight {
    pub(crate) name: String,
    /// The paths that the event is about; where a note is now comes first.
    pub(crate) paths: Vec<String>,
    /// The whole, as the handler gets it.
    pub(crate) value: Value,
}

/// Returns what of an event a script with these scopes sees; `None` when nothing.
pub(crate) fn sight(event: &DaemonEvent, scopes: &Scopes) -> Option<Sight> {
    let mut name = event.event_type.name().into_owned();
    if matches!(event.event_type, EventType::Script(_)) || is_about_vectors(&event.event_type) {
        return None;
    }
    if !is_about_notes(&name) && !scopes.may_hear(&name) {
        return None;
    }
    let mut from = None;
    let mut paths = paths_of(&event.event_type);
    if let EventType::Filesystem(FilesystemEventType::FileMoved { from: was, to }) =
        &event.event_type
    {
        // What moves out of sight is gone, and what moves into sight has come.
        match (scopes.may_read(was), scopes.may_read(to)) {
            (true, true) => from = Some(was.clone()),
            (true, false) => {
                (name, paths) = ("filesystem.file_deleted".to_owned(), vec![was.clone()])
            }
            (false, true) => {
                (name, paths) = ("filesystem.file_created".to_owned(), vec![to.clone()])
            }
            (false, false) => return None,
        }
    }
    if !paths.iter().all(|path| scopes.may_read(path)) {
        return None;
    }
    let value = json!({
        "name": name,
        "path": paths.first(),
        "from": from,
        "at": event.timestamp.to_string(),
        "id": event.id.to_string(),
        "correlation_id": event.metadata.correlation_id.to_string(),
        "depth": event.metadata.depth,
        "source": event.source.id,
        "payload": payload(&event.payload),
    });
    Some(Sight { name, paths, value })
}

/// Whether a change of a note is told again, as its vectors are made: handlers have seen it.
fn is_about_vectors(event_type: &EventType) -> bool {
    matches!(
        event_type,
        EventType::Database(DatabaseEventType::RecordUpdated { table, .. }) if table == "vectors"
    )
}

fn paths_of(event_type: &EventType) -> Vec<String> {
    match event_type {
        EventType::Filesystem(
            FilesystemEventType::FileCreated { path }
            | FilesystemEventType::FileModified { path }
            | FilesystemEventType::FileDeleted { path }
            | FilesystemEventType::DirectoryCreated { path }
            | FilesystemEventType::DirectoryDeleted { path },
        ) => vec![path.clone()],
        EventType::Filesystem(FilesystemEventType::FileMoved { from, to }) => {
            vec![to.clone(), from.clone()]
        }
        EventType::Database(
            DatabaseEventType::RecordCreated { id, .. }
            | DatabaseEventType::RecordUpdated { id, .. }
            | DatabaseEventType::RecordDeleted { id, .. },
        ) => vec![id.clone()],
        _ => Vec::new(),
    }
}

fn payload(payload: &EventPayload) -> Value {
    match payload {
        EventPayload::Text(text) if text.len() <= PAYLOAD_BYTES_MAX => Value::from(text.as_str()),
        EventPayload::Json(value) if value.to_string().len() <= PAYLOAD_BYTES_MAX => value.clone(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use crucible_services::events::EventSource;

    use super::*;
    use crate::capability::Capability;

    fn scopes(granted: &[&str]) -> Scopes {
        let granted: Vec<Capability> = granted.iter().map(|text| text.parse().unwrap()).collect();
        Scopes::new(&granted, &granted).unwrap()
    }

    fn event(event_type: EventType) -> DaemonEvent {
        let source = EventSource::filesystem("vault");
        DaemonEvent::new(
            event_type,
            source,
            EventPayload::json(json!({ "hash": "x" })),
        )
    }

    fn moved(from: &str, to: &str) -> DaemonEvent {
        event(EventType::Filesystem(FilesystemEventType::FileMoved {
            from: from.to_owned(),
            to: to.to_owned(),
        }))
    }

    fn modified(path: &str) -> DaemonEvent {
        let path = path.to_owned();
        event(EventType::Filesystem(FilesystemEventType::FileModified {
            path,
        }))
    }

    fn record(table: &str, id: &str) -> DaemonEvent {
        event(EventType::Database(DatabaseEventType::RecordUpdated {
            table: table.to_owned(),
            id: id.to_owned(),
        }))
    }

    fn seen(event: &DaemonEvent, granted: &[&str]) -> Option<(String, Vec<String>)> {
        sight(event, &scopes(granted)).map(|sight| (sight.name, sight.paths))
    }

    #[test]
    fn a_note_that_may_not_be_read_is_not_heard_of() {
        assert!(seen(&modified("Inbox/a.md"), &["notes.read: Inbox/**"]).is_some());
        assert!(seen(&modified("Other/a.md"), &["notes.read: Inbox/**"]).is_none());
        assert!(seen(&modified("Inbox/a.md"), &[]).is_none());
        let granted = ["notes.read: Inbox/**", "events.subscribe: database.*"];
        assert!(seen(&record("notes", "Other/a.md"), &granted).is_none());
    }

    #[test]
    fn vectors_of_a_note_are_not_heard_of_as_another_change() {
        let granted = ["notes.read: **", "events.subscribe: database.*"];
        assert!(seen(&record("notes", "a.md"), &granted).is_some());
        assert!(seen(&record("vectors", "a.md"), &granted).is_none());
    }

    #[test]
    fn what_moves_out_of_sight_is_gone_and_what_moves_into_sight_has_come() {
        let granted = ["notes.read: Inbox/**"];
        let both = sight(&moved("Inbox/a.md", "Inbox/b.md"), &scopes(&granted)).unwrap();
        assert_eq!(both.name, "filesystem.file_moved");
        assert_eq!(
            (&both.value["path"], &both.value["from"]),
            (&json!("Inbox/b.md"), &json!("Inbox/a.md"))
        );
        let out = sight(&moved("Inbox/a.md", "Secret/b.md"), &scopes(&granted)).unwrap();
        assert_eq!(out.name, "filesystem.file_deleted");
        assert!(!out.value.to_string().contains("Secret"));
        let came = sight(&moved("Secret/a.md", "Inbox/b.md"), &scopes(&granted)).unwrap();
        assert_eq!(came.name, "filesystem.file_created");
        assert!(!came.value.to_string().contains("Secret"));
        assert!(seen(&moved("Secret/a.md", "Secret/b.md"), &granted).is_none());
    }

    #[test]
    fn other_events_are_heard_only_where_that_was_granted() {
        let custom = event(EventType::Custom {
            name: "a.b".to_owned(),
        });
        assert!(seen(&custom, &["notes.read: **"]).is_none());
        assert!(seen(&custom, &["events.subscribe: custom.a.*"]).is_some());
        let denied = event(EventType::Script(
            crucible_services::events::ScriptEventType::Denied {
                script: "x".to_owned(),
                capability: "notes.read: Secret/a.md".to_owned(),
            },
        ));
        assert!(seen(&denied, &["events.subscribe: script.*", "notes.read: **"]).is_none());
    }

    fn check(handler: &Handler, path: &str, expected: bool) {
        let sight = sight(&modified(path), &scopes(&["notes.read: **"])).unwrap();
        assert_eq!(
            Waker::new(handler).unwrap().wants(&sight),
            expected,
            "{path}"
        );
    }

    #[test]
    fn handlers_are_woken_by_name_and_path() {
        let mut handler = Handler {
            events: vec!["filesystem.file_modified".to_owned()],
            paths: vec!["Inbox/**".to_owned()],
            not_paths: vec!["**/Log.md".to_owned()],
            tags: Vec::new(),
            function: "f".to_owned(),
        };
        check(&handler, "Inbox/a.md", true);
        check(&handler, "Inbox/Log.md", false);
        check(&handler, "Other/a.md", false);
        handler.paths.clear();
        check(&handler, "Other/a.md", true);
        check(&handler, "Other/Log.md", false);
        handler.events = vec!["filesystem.file_created".to_owned()];
        check(&handler, "Other/a.md", false);
    }
}
