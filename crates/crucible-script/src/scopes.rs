//! What a script may do now: what its manifest asks for, as far as a person granted it.

use crucible_services::script::Error;

use crate::capability::Capability;
use crate::glob::{Globs, literal_folder, name_matches};

/// The capabilities that are in force for one version of a script.
#[derive(Clone, Debug)]
pub(crate) struct Scopes {
    granted: Vec<Capability>,
    read: Globs,
    write: Globs,
    /// The folder that holds all that may be read, where there is one.
    read_folder: Option<String>,
    reads_all: bool,
    reads_some: bool,
}

impl Scopes {
    /// Puts in force what is asked for and covered by what was granted.
    ///
    /// # Errors
    /// [`Error::Manifest`] when a glob cannot be used.
    pub(crate) fn new(requested: &[Capability], granted: &[Capability]) -> Result<Self, Error> {
        let granted: Vec<Capability> = requested
            .iter()
            .filter(|want| granted.iter().any(|have| have.includes(want)))
            .cloned()
            .collect();
        let reads: Vec<&str> = granted.iter().filter_map(read_glob).collect();
        let writes = granted.iter().filter_map(|capability| match capability {
            Capability::NotesWrite(glob) => Some(glob.as_str()),
            _ => None,
        });
        let read_folder = match reads.as_slice() {
            [only] => literal_folder(only).map(|folder| folder.trim_end_matches('/').to_owned()),
            _ => None,
        };
        Ok(Self {
            read: Globs::new(reads.iter().copied()).map_err(Error::Manifest)?,
            write: Globs::new(writes).map_err(Error::Manifest)?,
            reads_all: reads.contains(&"**"),
            reads_some: !reads.is_empty(),
            read_folder,
            granted,
        })
    }

    pub(crate) fn granted(&self) -> &[Capability] {
        &self.granted
    }

    /// Says whether any note may be read.
    pub(crate) const fn reads_some(&self) -> bool {
        self.reads_some
    }

    /// Says whether every note may be read, so that nothing has to be hidden.
    pub(crate) const fn reads_all(&self) -> bool {
        self.reads_all
    }

    /// Returns the one folder that holds all that may be read, where that is so.
    pub(crate) fn read_folder(&self) -> Option<&str> {
        self.read_folder.as_deref()
    }

    /// Says whether the note at this resolved path may be read.
    pub(crate) fn may_read(&self, path: &str) -> bool {
        self.reads_all || self.read.matches(path)
    }

    /// Says whether the note at this resolved path may be written.
    pub(crate) fn may_write(&self, path: &str) -> bool {
        self.write.matches(path)
    }

    pub(crate) fn may_emit(&self, name: &str) -> bool {
        self.granted.iter().any(|capability| {
            matches!(capability, Capability::EventsEmit(pattern) if name_matches(pattern, name))
        })
    }

    pub(crate) fn may_hear(&self, name: &str) -> bool {
        self.granted.iter().any(|capability| {
            matches!(capability, Capability::EventsSubscribe(pattern) if name_matches(pattern, name))
        })
    }

    pub(crate) fn has(&self, capability: &Capability) -> bool {
        self.granted.contains(capability)
    }
}

fn read_glob(capability: &Capability) -> Option<&str> {
    match capability {
        Capability::NotesRead(glob) => Some(glob),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(requested: &[&str], granted: &[&str]) -> Scopes {
        let read = |texts: &[&str]| -> Vec<Capability> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        Scopes::new(&read(requested), &read(granted)).unwrap()
    }

    #[test]
    fn nothing_is_allowed_that_was_not_both_asked_for_and_granted() {
        let none = scopes(&["notes.read: **", "kv"], &[]);
        assert!(!none.may_read("a.md") && !none.has(&Capability::Kv) && !none.reads_some());
        let unasked = scopes(&[], &["notes.read: **", "kv"]);
        assert!(!unasked.may_read("a.md") && !unasked.has(&Capability::Kv));
    }

    #[test]
    fn asking_for_less_than_granted_keeps_the_grant_and_asking_for_more_does_not() {
        let less = scopes(&["notes.read: Inbox/a/**"], &["notes.read: Inbox/**"]);
        assert!(less.may_read("Inbox/a/x.md") && !less.may_read("Inbox/b.md"));
        let more = scopes(&["notes.read: **", "kv"], &["notes.read: Inbox/**", "kv"]);
        assert!(!more.may_read("Inbox/x.md") && more.has(&Capability::Kv));
    }

    #[test]
    fn reading_and_writing_are_apart() {
        let scopes = scopes(
            &["notes.read: Inbox/**", "notes.write: Log/*.md"],
            &["notes.read: Inbox/**", "notes.write: Log/*.md"],
        );
        assert!(scopes.may_read("Inbox/x.md") && !scopes.may_write("Inbox/x.md"));
        assert!(scopes.may_write("Log/x.md") && !scopes.may_read("Log/x.md"));
        assert_eq!(scopes.read_folder(), Some("Inbox"));
        assert!(!scopes.reads_all());
    }
}
