//! What the name of a file says about it.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// Files whose rules leave other files out of the vault.
pub(crate) const RULE_FILES: [&str; 2] = [".gitignore", ".crucibleignore"];

/// Says whether a file of this name is a note.
pub(crate) fn is_note(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| {
        extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown")
    })
}

/// Says whether a file or folder of this name is hidden.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// Says whether a file of this name holds the rules of what to leave out.
pub(crate) fn is_rule_file(name: &OsStr) -> bool {
    RULE_FILES.iter().any(|rule| name == *rule)
}

/// Says whether a file of this name belongs to an editor or a program that is still writing.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with('~')
        || name.starts_with("~$")
        || name == "4913" // vim asks with this name whether it may write in the folder
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#')) // emacs
        || name.contains(".tmp.") // write-file-atomic and its kin: note.md.tmp.123.456
        || name.rsplit_once('.').is_some_and(|(_, extension)| {
            ["tmp", "swp", "swo", "swx", "part", "crdownload"]
                .iter()
                .any(|temporary| extension.eq_ignore_ascii_case(temporary))
        })
        || is_safe_save(&name)
}

/// Says whether `name` is that of a macOS safe save: `note.md.sb-1a2b3c4d-x5Y6z7`.
fn is_safe_save(name: &str) -> bool {
    name.rsplit_once(".sb-").is_some_and(|(_, tail)| {
        tail.len() >= 8
            && tail
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// Returns the vault path of `relative`, with `/`; or, for a name that is not UTF-8, a name for
/// people that no other file has: replacement characters, then the name's bytes.
pub(crate) fn vault_path(relative: &Path) -> Result<String, String> {
    let Some(text) = relative.to_str() else {
        let bytes = relative.as_os_str().as_encoded_bytes().escape_ascii();
        return Err(format!(
            "{} (name bytes: {bytes})",
            relative.to_string_lossy()
        ));
    };
    if std::path::MAIN_SEPARATOR == '/' {
        Ok(text.to_owned())
    } else {
        Ok(text.replace(std::path::MAIN_SEPARATOR, "/"))
    }
}

/// Says whether `path` names something in the vault that is not hidden, without leaving it.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && !path.split('/').any(|part| matches!(part, "" | "." | ".."))
        && Path::new(path)
            .components()
            .all(|component| match component {
                Component::Normal(name) => !is_hidden(name),
                _ => false,
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_told_by_extension_in_any_case() {
        for name in ["a.md", "A.MD", "a.b.Markdown", "🦀 x.md", "new\nline.md"] {
            assert!(is_note(name), "{name}");
        }
        for name in ["md", "a.mdx", "a.md.png", "a.txt", ""] {
            assert!(!is_note(name), "{name}");
        }
    }

    #[test]
    fn temporary_names_are_known() {
        for name in [
            "note.md~",
            "~$note.docx",
            "4913",
            "#note.md#",
            "note.md.swp",
            "note.tmp",
            "note.md.tmp.4711.9",
            "note.md.sb-1a2b3c4d-x5Y6z7",
            "x.PART",
        ] {
            assert!(is_temporary(OsStr::new(name)), "{name}");
        }
        for name in [
            "note.md",
            "49130",
            "#",
            "#tag.md",
            "a.sb-1.md",
            "tmp",
            "tmp.md",
        ] {
            assert!(!is_temporary(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn paths_that_leave_the_vault_are_not_inside() {
        for path in [
            "",
            "/etc/passwd",
            "../x.md",
            "a/../../x.md",
            "a/./b.md",
            "a//b.md",
            ".git/config",
            "a/.hidden/b.md",
            "a\0.md",
            "a/",
        ] {
            assert!(!is_inside(path), "{path:?}");
        }
        for path in ["a.md", "a/b c/🦀.md", "a..b.md", "new\nline.md"] {
            assert!(is_inside(path), "{path:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_do_not_collide() {
        use std::os::unix::ffi::OsStrExt as _;
        let name = |bytes: &[u8]| vault_path(Path::new(OsStr::from_bytes(bytes))).unwrap_err();
        assert_ne!(name(b"a\xff.md"), name(b"a\xfe.md"));
        assert!(name(b"a\xff.md").starts_with("a\u{fffd}.md"));
        assert_ne!(name(b"a\xff"), name(b"a\xff\\xff"));
    }
}
