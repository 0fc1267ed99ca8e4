//! What a script may be allowed to do: how it is written, and when one grant includes another.
//!
//! A capability is one line of text such as `notes.read: Inbox/**` or `kv`: that is what a person
//! is asked, what is kept, and what an error names.

use std::fmt;
use std::str::FromStr;

use crate::glob::literal_folder;

/// One thing that a script may be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// See the notes whose path matches a glob.
    NotesRead(String),
    /// Create, change, move and delete the notes whose path matches a glob.
    NotesWrite(String),
    /// Be woken by events that are not about notes and whose name matches.
    EventsSubscribe(String),
    /// Tell events whose name matches, all below `custom.SCRIPT.`.
    EventsEmit(String),
    /// Keep values of its own.
    Kv,
    /// Ask the Inference Engine: `embed` or `generate`.
    Inference(String),
    /// Offer one of its tools to AI agents.
    McpExpose(String),
}

impl Capability {
    /// Returns the key under which the manifest asks for it.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::NotesRead(_) => "notes.read",
            Self::NotesWrite(_) => "notes.write",
            Self::EventsSubscribe(_) => "events.subscribe",
            Self::EventsEmit(_) => "events.emit",
            Self::Kv => "kv",
            Self::Inference(_) => "inference",
            Self::McpExpose(_) => "mcp.expose",
        }
    }

    /// Returns what it is limited to; `None` where nothing can be said.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        match self {
            Self::Kv => None,
            Self::NotesRead(scope)
            | Self::NotesWrite(scope)
            | Self::EventsSubscribe(scope)
            | Self::EventsEmit(scope)
            | Self::Inference(scope)
            | Self::McpExpose(scope) => Some(scope),
        }
    }

    /// Says in words what it allows.
    #[must_use]
    pub fn explain(&self) -> String {
        match self {
            Self::NotesRead(glob) => format!("see the notes in {glob}"),
            Self::NotesWrite(glob) => format!("create, change and delete the notes in {glob}"),
            Self::EventsSubscribe(name) => format!("be woken by the events {name}"),
            Self::EventsEmit(name) => format!("tell the events {name}"),
            Self::Kv => "keep values of its own".to_owned(),
            Self::Inference(what) if what == "embed" => "compute embeddings".to_owned(),
            Self::Inference(_) => "generate text, which can cost money".to_owned(),
            Self::McpExpose(tool) => format!("offer the tool {tool} to AI agents"),
        }
    }

    /// Says whether whoever has `self` has `other` as well.
    ///
    /// Beyond equality only what is plain is taken for included: everything, and what lies below a
    /// folder (or, for events, below a dotted name) that `self` gives whole.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::NotesRead(have), Self::NotesRead(want))
            | (Self::NotesWrite(have), Self::NotesWrite(want)) => {
                have == "**" || literal_folder(have).is_some_and(|folder| want.starts_with(folder))
            }
            (Self::EventsSubscribe(have), Self::EventsSubscribe(want))
            | (Self::EventsEmit(have), Self::EventsEmit(want)) => have
                .strip_suffix('*')
                .is_some_and(|prefix| prefix.ends_with('.') && want.starts_with(prefix)),
            _ => false,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())?;
        match self.scope() {
            Some(scope) => write!(f, ": {scope}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        let unknown = || UnknownCapability(text.to_owned());
        if text.trim() == "kv" {
            return Ok(Self::Kv);
        }
        let (key, scope) = text.split_once(':').ok_or_else(unknown)?;
        let scope = scope.trim().to_owned();
        if scope.is_empty() {
            return Err(unknown());
        }
        Ok(match key.trim() {
            "notes.read" => Self::NotesRead(scope),
            "notes.write" => Self::NotesWrite(scope),
            "events.subscribe" => Self::EventsSubscribe(scope),
            "events.emit" => Self::EventsEmit(scope),
            "inference" => Self::Inference(scope),
            "mcp.expose" => Self::McpExpose(scope),
            _ => return Err(unknown()),
        })
    }
}

/// The text names no capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a capability; they are written as in `crucible script list`, such as \
     \"notes.read: Inbox/**\" or \"kv\""
)]
pub struct UnknownCapability(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(text: &str) -> Capability {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_is_read_back_from_its_text() {
        for text in [
            "notes.read: Inbox/**",
            "notes.write: Log/*.md",
            "events.subscribe: mcp.*",
            "events.emit: custom.digest.*",
            "kv",
            "inference: embed",
            "mcp.expose: notes_of_tag",
        ] {
            assert_eq!(capability(text).to_string(), text);
        }
        for text in ["", "kv: x", "notes.read", "notes.read:", "net: example.org"] {
            assert!(text.parse::<Capability>().is_err(), "{text}");
        }
    }

    fn check(have: &str, want: &str, expected: bool) {
        let (have, want) = (capability(have), capability(want));
        assert_eq!(have.includes(&want), expected, "{have} includes {want}");
    }

    #[test]
    fn a_folder_includes_what_lies_below_it_and_nothing_beside() {
        check("notes.read: **", "notes.read: Inbox/**", true);
        check("notes.read: Inbox/**", "notes.read: Inbox/a/*.md", true);
        check("notes.read: Inbox/**", "notes.read: Inbox2/**", false);
        check("notes.read: Inbox/**", "notes.read: **", false);
        check("notes.read: In*/**", "notes.read: Inbox/**", false);
        check("notes.read: Inbox/**", "notes.write: Inbox/**", false);
        check("events.emit: custom.a.*", "events.emit: custom.a.b", true);
        check("events.emit: custom.a.*", "events.emit: custom.ab.c", false);
        check(
            "events.emit: custom.a.b",
            "events.emit: custom.a.b.c",
            false,
        );
        check("mcp.expose: a", "mcp.expose: b", false);
    }
}
