//! Names the notes that the vault leaves alone by its rules, for people who miss one.
//!
//! The index never hears of these files, so they are looked for only when somebody asks.

use std::io;
use std::path::Path;

use ignore::WalkBuilder;
use serde::Serialize;

use crate::folder::VaultFolder;
use crate::names;
use crate::rules;

/// A file with a note's name that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Where, relative to the vault.
    pub path: String,
    /// Which rule leaves it out.
    pub rule: LeftOutRule,
}

/// Why a file is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutRule {
    /// Its name, or that of a folder above it, begins with a dot.
    Hidden,
    /// A `.gitignore` or `.crucibleignore` of the vault names it.
    Ignored,
    /// Its name is that of a file that a program is still writing.
    Temporary,
}

impl LeftOutRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Hidden, Self::Ignored, Self::Temporary];

    /// Returns the rule in words, with how to have the note all the same.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Hidden => "a name on the path begins with a dot; rename it to have it indexed",
            Self::Ignored => {
                "a .gitignore or .crucibleignore names it; `!NAME` in a .crucibleignore allows it"
            }
            Self::Temporary => "the name is that of a file which is still being written",
        }
    }
}

/// Returns the notes that the rules leave out, in path order, at most `limit`, and how many there
/// are. Blocks: the whole folder is walked, hidden folders as well.
///
/// Nothing below a version control's own folder (`.git`) or this program's (`.crucible`) counts:
/// what is there was never a note.
///
/// # Errors
/// When the folder itself cannot be listed.
pub fn left_out(folder: &VaultFolder, limit: usize) -> io::Result<(Vec<LeftOut>, u64)> {
    let root = folder.root();
    std::fs::read_dir(root)?;
    let Some(mut matcher) = rules::matcher(root) else {
        return Ok((Vec::new(), 0));
    };
    let mut found = Vec::new();
    let mut total = 0;
    for entry in walk(root, folder.depth_max()) {
        // What cannot be listed is told as a problem of the index, which walks there too.
        let Ok(entry) = entry else { continue };
        let is_note = entry.file_type().is_some_and(|kind| kind.is_file())
            && names::is_note(&entry.file_name().to_string_lossy());
        let Ok(relative) = entry.path().strip_prefix(root) else {
            continue;
        };
        if !is_note {
            continue;
        }
        let rule = if relative.iter().any(names::is_hidden) {
            LeftOutRule::Hidden
        } else if names::is_temporary(entry.file_name()) {
            LeftOutRule::Temporary
        } else if matcher.matched(relative, false).is_ignore() {
            LeftOutRule::Ignored
        } else {
            continue;
        };
        total += 1;
        if found.len() < limit {
            let path = names::vault_path(relative).unwrap_or_else(|shown| shown);
            found.push(LeftOut { path, rule });
        }
    }
    found.sort_unstable();
    Ok((found, total))
}

fn walk(root: &Path, depth_max: usize) -> ignore::Walk {
    WalkBuilder::new(root)
        .standard_filters(false)
        .follow_links(false)
        .max_depth(Some(depth_max.saturating_add(1)))
        .filter_entry(|entry| entry.file_name() != ".git" && entry.file_name() != ".crucible")
        .sort_by_file_name(std::cmp::Ord::cmp)
        .build()
}
