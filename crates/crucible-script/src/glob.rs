//! Path globs and event-name patterns: the two ways in which a manifest says "these".

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The longest glob, in bytes.
const GLOB_BYTES_MAX: usize = 256;

/// A set of path globs. `*` and `?` stay within a folder, `**` does not, `{a,b}` is a choice;
/// letter case counts.
#[derive(Clone, Debug)]
pub(crate) struct Globs {
    set: GlobSet,
}

impl Globs {
    /// Compiles globs; none match nothing.
    ///
    /// # Errors
    /// What is wrong with the first faulty one.
    pub(crate) fn new<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut builder = GlobSetBuilder::new();
        for glob in globs {
            check_form(glob)?;
            let compiled = GlobBuilder::new(glob)
                .literal_separator(true)
                .build()
                .map_err(|error| format!("the glob {glob:?} cannot be read: {}", error.kind()))?;
            builder.add(compiled);
        }
        let set = builder
            .build()
            .map_err(|error| format!("the globs cannot be used: {}", error.kind()))?;
        Ok(Self { set })
    }

    /// Says whether a vault path matches one of them.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.set.is_match(path)
    }
}

fn check_form(glob: &str) -> Result<(), String> {
    if glob.is_empty() {
        return Err("a glob is empty; \"**\" stands for all notes".to_owned());
    }
    if glob.len() > GLOB_BYTES_MAX {
        return Err(format!("a glob is longer than {GLOB_BYTES_MAX} bytes"));
    }
    if glob.starts_with('/') {
        return Err(format!(
            "the glob {glob:?} begins with /; paths are relative to the vault"
        ));
    }
    if glob.split('/').any(|part| part == "..") {
        return Err(format!("the glob {glob:?} leads out of the vault (..)"));
    }
    Ok(())
}

/// Returns `Inbox/` for `Inbox/**`: the folder that a glob gives whole, where it is plain.
pub(crate) fn literal_folder(glob: &str) -> Option<&str> {
    let folder = glob.strip_suffix("**")?;
    let is_plain = folder.ends_with('/') && !folder.contains(['*', '?', '[', ']', '{', '}', '\\']);
    is_plain.then_some(folder)
}

/// Says whether an event's dotted name matches a pattern: the name itself, or a beginning that
/// ends in `.*`.
pub(crate) fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => {
            prefix.ends_with('.') && name.len() > prefix.len() && name.starts_with(prefix)
        }
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(glob: &str, path: &str, expected: bool) {
        assert_eq!(
            Globs::new([glob]).unwrap().matches(path),
            expected,
            "{glob} {path}"
        );
    }

    #[test]
    fn one_star_stays_in_its_folder_and_two_do_not() {
        check("Inbox/*", "Inbox/a.md", true);
        check("Inbox/*", "Inbox/deep/a.md", false);
        check("Inbox/**", "Inbox/deep/a.md", true);
        check("**", "a.md", true);
        check("**/*.md", "a/b/c.md", true);
        check("Inbox/**", "inbox/a.md", false);
        check("{Inbox,Log}/**", "Log/a.md", true);
        check("Inbox/**", "Inbox", false);
    }

    #[test]
    fn globs_that_cannot_mean_a_note_are_refused() {
        for glob in ["", "/etc/**", "../x", "a/../../b", "a[", &"x".repeat(257)] {
            assert!(Globs::new([glob]).is_err(), "{glob}");
        }
    }

    #[test]
    fn a_set_of_no_globs_matches_nothing() {
        assert!(!Globs::new([]).unwrap().matches("a.md"));
    }

    #[test]
    fn event_patterns_match_whole_parts() {
        assert!(name_matches("filesystem.*", "filesystem.file_moved"));
        assert!(name_matches("custom.a.b", "custom.a.b"));
        assert!(!name_matches("custom.a.*", "custom.a."));
        assert!(!name_matches("file*", "filesystem.file_moved"));
        assert!(!name_matches("custom.a.*", "custom.ab.c"));
    }
}
