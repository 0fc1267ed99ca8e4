//! Which paths a writer may name. Pure but for the vault's own ignore rules.

use std::path::Path;

use crucible_notes::names::strip_md;
use crucible_services::note_writer::Error;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::folder::VaultFolder;
use crate::names;
use crate::rules;

/// Longest path of a new note, in bytes; systems allow 4,096 from their root.
const PATH_BYTES_MAX: usize = 1024;
/// Longest name of a new file or folder, in bytes; most systems allow 255.
const NAME_BYTES_MAX: usize = 240;

/// Characters that some system does not allow in names (a vault is copied between systems), or
/// that a link cannot hold.
const FORBIDDEN: [char; 13] = [
    '\\', ':', '*', '?', '"', '<', '>', '|', '[', ']', '#', '^', '\u{7f}',
];

/// Names of devices on Windows, whatever their extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Returns the path under which a note is looked for: `.md` is added when missing.
pub(super) fn existing(folder: &VaultFolder, path: &str) -> Result<String, Error> {
    let path = with_extension(path.trim_start_matches("./"));
    if !names::is_inside(&path) {
        return Err(invalid(&path, outside(&path)));
    }
    check_rules(folder, &path)?;
    // A name that was typed may have another Unicode form than the file's; the file's comes first.
    if !is_nfc(&path) && !folder.root().join(&path).exists() {
        return Ok(path.nfc().collect());
    }
    Ok(path)
}

/// Returns the path of a note that is to come into being, in Unicode form C, with `.md`.
pub(super) fn new(folder: &VaultFolder, path: &str) -> Result<String, Error> {
    let path: String = with_extension(path.trim_start_matches("./"))
        .nfc()
        .collect();
    let refuse = |reason: String| Err(invalid(&path, reason));
    if !names::is_inside(&path) {
        return refuse(outside(&path));
    }
    if path.len() > PATH_BYTES_MAX {
        return refuse(format!(
            "it is longer than {PATH_BYTES_MAX} bytes; shorten it"
        ));
    }
    let depth_max = folder.depth_max();
    if path.matches('/').count() > depth_max {
        return refuse(format!(
            "it lies more than {depth_max} folders deep; move it up"
        ));
    }
    for part in path.split('/') {
        check_name(part).map_err(|reason| invalid(&path, reason))?;
    }
    if names::is_temporary(names_of(&path).as_ref()) {
        return refuse(
            "programs give such names to temporary files, so it would not be indexed; choose \
             another"
                .to_owned(),
        );
    }
    check_rules(folder, &path)?;
    Ok(path)
}

fn names_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn with_extension(path: &str) -> String {
    if path.is_empty() || path.ends_with('/') || names::is_note(path) {
        path.to_owned()
    } else {
        format!("{path}.md")
    }
}

fn outside(path: &str) -> String {
    let is_hidden = path
        .split('/')
        .any(|part| part.len() > 1 && part.starts_with('.') && part != "..");
    if is_hidden {
        "names that begin with `.` are hidden and no part of the vault; choose another".to_owned()
    } else {
        "it must be relative to the vault, with `/` between folders and no `.` or `..`, such as \
         Projects/Garden.md"
            .to_owned()
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.len() > NAME_BYTES_MAX {
        return Err(format!(
            "a name in it is longer than {NAME_BYTES_MAX} bytes; shorten it"
        ));
    }
    if let Some(bad) = name
        .chars()
        .find(|c| c.is_control() || FORBIDDEN.contains(c))
    {
        return Err(format!(
            "{bad:?} cannot stand in a name: links or other systems cannot hold it; leave it out"
        ));
    }
    if name.ends_with(['.', ' '])
        || name.starts_with(' ')
        || strip_md(name).trim_end() != strip_md(name)
    {
        return Err(
            "a name in it begins or ends with a space or ends with a dot; trim it".to_owned(),
        );
    }
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    if RESERVED.contains(&stem.as_str()) {
        return Err(format!(
            "{stem:?} is the name of a device on Windows; choose another"
        ));
    }
    Ok(())
}

/// Refuses what the vault's ignore files leave out.
fn check_rules(folder: &VaultFolder, path: &str) -> Result<(), Error> {
    let is_left_out = rules::matcher(folder.root())
        .is_some_and(|mut rules| rules.matched(Path::new(path), false).is_ignore());
    if is_left_out {
        return Err(invalid(
            path,
            "an ignore file of the vault (.gitignore, .crucibleignore) leaves it out; choose \
             another path, or change the rule"
                .to_owned(),
        ));
    }
    Ok(())
}

pub(super) fn invalid(path: &str, reason: String) -> Error {
    Error::InvalidPath {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VaultConfig;

    fn vault() -> (tempfile::TempDir, VaultFolder) {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(".gitignore"), "private/\n*.draft.md\n").unwrap();
        let folder = VaultFolder::open(&VaultConfig::new(place.path())).unwrap();
        (place, folder)
    }

    #[test]
    fn good_paths_get_their_extension_and_unicode_form() {
        let (_place, folder) = vault();
        for (path, expected) in [
            ("a", "a.md"),
            ("a.md", "a.md"),
            ("A/b c.Markdown", "A/b c.Markdown"),
            ("v1.2", "v1.2.md"),
            ("🦀/日本語", "🦀/日本語.md"),
            ("Pa\u{302}te", "Pâte.md"),
            ("./a", "a.md"),
        ] {
            assert_eq!(new(&folder, path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_that_no_note_can_have_are_refused_with_the_reason() {
        let (_place, folder) = vault();
        let long = "x".repeat(300);
        let deep = "d/".repeat(600);
        for (path, reason) in [
            ("", "relative to the vault"),
            ("/etc/passwd", "relative to the vault"),
            ("../x", "relative to the vault"),
            ("a/../../x", "relative to the vault"),
            ("a//b", "relative to the vault"),
            ("a/", "relative to the vault"),
            (".git/x", "hidden"),
            ("a/.x/b", "hidden"),
            ("new\nline", "'\\n' cannot stand"),
            ("a\\b", "'\\\\' cannot stand"),
            ("a#b", "'#' cannot stand"),
            ("what?", "'?' cannot stand"),
            ("a/con.md", "Windows"),
            ("a /b", "trim it"),
            ("a .md", "trim it"),
            ("private/x", "ignore file"),
            ("x.draft", "ignore file"),
            ("x.tmp.1.md", "temporary"),
            (&long, "longer than 240"),
            (&deep, "relative to the vault"),
            (&format!("{deep}x"), "longer than 1024"),
            (&format!("{}x", "d/".repeat(300)), "folders deep"),
        ] {
            let refused = new(&folder, path).unwrap_err().to_string();
            assert!(refused.contains(reason), "{path:?}: {refused}");
        }
    }

    #[test]
    fn an_existing_note_may_have_a_name_that_no_new_one_gets() {
        let (_place, folder) = vault();
        assert_eq!(existing(&folder, "what?").as_deref(), Ok("what?.md"));
        assert!(existing(&folder, "../x").is_err());
        assert!(existing(&folder, "private/x").is_err());
    }
}
