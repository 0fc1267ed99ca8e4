//! What a script can ask the daemon for: the list that both ends of the pipe agree on.
//!
//! The worker offers each of these to scripts as a function (`notes.read` as `notes::read`), and
//! `broker` answers it. Arguments and values are JSON; a function that fails gives the script an
//! error with a `kind` and a `message`.

/// A function that the daemon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// Its name on the pipe; in a script the dot is `::`.
    pub name: &'static str,
    /// The names of its arguments, in order.
    pub arguments: &'static [&'static str],
    /// The key of `[capabilities]` that it needs; `None` when everybody may.
    pub needs: Option<&'static str>,
    /// What it does and gives back.
    pub about: &'static str,
}

const fn function(
    name: &'static str,
    arguments: &'static [&'static str],
    needs: Option<&'static str>,
    about: &'static str,
) -> HostFunction {
    HostFunction {
        name,
        arguments,
        needs,
        about,
    }
}

const READ: Option<&str> = Some("notes.read");
const WRITE: Option<&str> = Some("notes.write");

/// Every host function, by name within its module.
pub const HOST_FUNCTIONS: &[HostFunction] = &[
    function(
        "notes.read",
        &["note"],
        READ,
        "Returns one note: `path`, `title`, `text`, `hash`, `tags`, `aliases`, `properties`, \
         `headings`. `note` is a path, a file name, a title or an alias.",
    ),
    function(
        "notes.exists",
        &["note"],
        READ,
        "Returns whether there is such a note among those that the script may read.",
    ),
    function(
        "notes.list",
        &["options"],
        READ,
        "Returns a page of notes in path order: `notes` (without text), `total`, `next_cursor`. \
         Options: `folder`, `tag`, `limit`, `cursor`.",
    ),
    function(
        "notes.search",
        &["query", "options"],
        READ,
        "Returns the notes that match best: `hits` with `path`, `title`, `line`, `snippet`, \
         `score`, and `notices`. Options: `limit`, `folder`, `tags`, `mode`.",
    ),
    function(
        "notes.links",
        &["note"],
        READ,
        "Returns the links of a note: `outgoing` and `backlinks`, as far as the script may read.",
    ),
    function(
        "notes.create",
        &["path", "text"],
        WRITE,
        "Creates a note and returns its `path` and `hash`; fails with `exists` when it is there.",
    ),
    function(
        "notes.write",
        &["path", "seen", "text"],
        WRITE,
        "Replaces the text of a note whose hash is still `seen`, else fails with `conflict`.",
    ),
    function(
        "notes.edit",
        &["path", "seen", "edits"],
        WRITE,
        "Makes edits, all or none, in a note whose hash is still `seen`. An edit is an object \
         with `op`: overwrite, replace, append, prepend, append_to_section, replace_section.",
    ),
    function(
        "notes.append",
        &["path", "text"],
        WRITE,
        "Adds text at the end of a note, on a line of its own; creates the note when missing.",
    ),
    function(
        "notes.append_to_section",
        &["path", "heading", "text"],
        WRITE,
        "Adds text at the end of the section below a heading of a note that is there.",
    ),
    function(
        "notes.rename",
        &["from", "to", "seen"],
        WRITE,
        "Moves a note whose hash is still `seen`, and rewrites the links to it that the script \
         may write.",
    ),
    function(
        "notes.delete",
        &["path", "seen"],
        WRITE,
        "Deletes a note whose hash is still `seen`; it can be undone.",
    ),
    function(
        "events.emit",
        &["name", "payload"],
        Some("events.emit"),
        "Tells an event; `name` begins with `custom.SCRIPT.`. Returns its identifier.",
    ),
    function(
        "kv.get",
        &["key"],
        Some("kv"),
        "Returns a value that the script kept, or nothing.",
    ),
    function(
        "kv.set",
        &["key", "value"],
        Some("kv"),
        "Keeps a value under a key for good.",
    ),
    function("kv.remove", &["key"], Some("kv"), "Forgets a key."),
    function(
        "kv.keys",
        &["prefix"],
        Some("kv"),
        "Returns the keys that begin with `prefix`, in order, at most 1000.",
    ),
    function(
        "inference.embed",
        &["texts"],
        Some("inference"),
        "Returns one vector for each text.",
    ),
    function(
        "inference.generate",
        &["request"],
        Some("inference"),
        "Continues a conversation and returns `text`. The request has `model`, `messages` (each \
         with `role` and `content`), `tokens_max` and `temperature`.",
    ),
    function(
        "clock.now",
        &[],
        None,
        "Returns the time: `utc`, and of the local clock `local`, `date` and `weekday` (1 is Monday); \
         `unix_ms`.",
    ),
];

/// Returns the host function of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static HostFunction> {
    HOST_FUNCTIONS.iter().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_none_comes_twice() {
        for function in HOST_FUNCTIONS {
            assert_eq!(find(function.name), Some(function));
        }
        assert_eq!(find("process.run"), None);
    }
}
