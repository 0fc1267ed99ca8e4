//! The files of a new script: a manifest, code, and a test that passes.

use std::path::Path;

use crate::manifest;

/// What a new script begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Woken by changed notes.
    Handler,
    /// A tool for AI agents.
    Tool,
    /// Run by the clock.
    Cron,
}

/// A file of a new script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where, relative to the script's folder.
    pub path: &'static str,
    /// What it holds.
    pub text: String,
}

/// Returns the files of a new script.
///
/// # Errors
/// When the name cannot be a script's.
pub fn files(name: &str, kind: Kind) -> Result<Vec<NewFile>, String> {
    manifest::check_name(name)?;
    let (manifest, code) = match kind {
        Kind::Handler => (HANDLER_MANIFEST, HANDLER_CODE),
        Kind::Tool => (TOOL_MANIFEST, TOOL_CODE),
        Kind::Cron => (CRON_MANIFEST, CRON_CODE),
    };
    let file = |path, text: &str| NewFile {
        path,
        text: text.replace("NAME", name),
    };
    Ok(vec![
        file(manifest::FILE, manifest),
        file(crate::package::ENTRY, code),
        file(
            "tests/vault/Inbox/Sample.md",
            "# Sample\n\nA note for tests. #sample\n",
        ),
    ])
}

/// Writes the files of a new script below `scripts_dir`; replaces nothing.
///
/// # Errors
/// When the name cannot be a script's, there is such a folder already, or the operating system
/// refuses.
pub fn write(scripts_dir: &Path, name: &str, kind: Kind) -> Result<Vec<NewFile>, String> {
    let files = files(name, kind)?;
    let folder = scripts_dir.join(name);
    if folder.exists() {
        return Err(format!("{} is there already", folder.display()));
    }
    for file in &files {
        let path = folder.join(file.path);
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, &file.text))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(files)
}

const HANDLER_MANIFEST: &str = r#"about = "Says what changed in the inbox"
api = 1

[[on]]
events = ["filesystem.file_created", "filesystem.file_modified"]
paths = ["Inbox/**"]
function = "note_changed"

# What the script asks to be allowed; `crucible script grant NAME` grants it.
[capabilities]
notes.read = ["Inbox/**"]
"#;

const HANDLER_CODE: &str = r#"//! Woken when a note in the inbox is new or has changed.

pub fn note_changed(event) {
    let note = notes::read(event.path)?;
    log::info(`${note.title} changed`);
    Ok(note.title)
}

pub fn test_the_title_is_told() {
    assert_eq!(note_changed(#{ path: "Inbox/Sample.md" })?, "Sample");
    Ok(())
}
"#;

const TOOL_MANIFEST: &str = r#"about = "Gives AI agents a tool"
api = 1

[[tool]]
name = "headings"
about = "Returns the headings of a note."
read_only = true

[tool.input]
type = "object"
required = ["note"]

[tool.input.properties.note]
type = "string"
description = "Path, file name, title or alias of the note"

# What the script asks to be allowed; `crucible script grant NAME` grants it.
[capabilities]
notes.read = ["Inbox/**"]
mcp.expose = ["headings"]
"#;

const TOOL_CODE: &str = r#"//! A tool for AI agents.

pub fn headings(input) {
    let found = [];
    for heading in notes::read(input.note)?.headings {
        found.push(heading.text);
    }
    Ok(found)
}

pub fn test_headings_are_found() {
    assert_eq!(headings(#{ note: "Sample" })?, ["Sample"]);
    Ok(())
}
"#;

const CRON_MANIFEST: &str = r#"about = "Counts the notes of the inbox each morning"
api = 1

[[schedule]]
cron = "0 7 * * *"
timezone = "local"
function = "count"
missed = "once"

# What the script asks to be allowed; `crucible script grant NAME` grants it.
[capabilities]
notes.read = ["Inbox/**"]
"#;

const CRON_CODE: &str = r#"//! Run each morning.

pub fn count(schedule) {
    let page = notes::list(#{ folder: "Inbox" })?;
    log::info(`${page.total} notes in the inbox`);
    Ok(page.total)
}

pub fn test_notes_are_counted() {
    assert_eq!(count(#{})?, 1);
    Ok(())
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    #[test]
    fn every_manifest_is_taken() {
        for kind in [Kind::Handler, Kind::Tool, Kind::Cron] {
            let files = files("fresh", kind).unwrap();
            Manifest::parse("fresh", &files[0].text).unwrap();
            assert!(files[0].text.contains("crucible script grant fresh"));
        }
        assert!(files("No", Kind::Tool).is_err());
    }

    #[test]
    fn nothing_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        write(place.path(), "fresh", Kind::Cron).unwrap();
        let again = write(place.path(), "fresh", Kind::Tool).unwrap_err();
        assert!(again.ends_with("is there already"), "{again}");
    }
}
