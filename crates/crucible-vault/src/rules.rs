//! Which files the vault leaves out: hidden ones, and what `.gitignore` and `.crucibleignore` say.
//!
//! The rule files count wherever they lie in the vault, with or without a git repository. Rules
//! from outside (a parent folder's, the user's global ones) do not: a vault has the same notes on
//! every machine.

use std::path::Path;

use ignore::IncrementalIgnore;
use ignore::WalkBuilder;

/// Returns a walk over `root` with the vault's rules.
pub(crate) fn walk_builder(root: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        .current_dir(root)
        .hidden(true)
        .parents(false)
        .ignore(false)
        .git_ignore(true)
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .add_custom_ignore_filename(".crucibleignore")
        .follow_links(false);
    builder
}

/// Returns the rules for looking at single paths; rule files are read once and remembered.
pub(crate) fn matcher(root: &Path) -> Option<IncrementalIgnore> {
    walk_builder(root).build_matchers().pop()
}
