//! Looks at the disk, whole or at single paths, and compares it with what the index knows.
//!
//! Everything here blocks; the engine calls it on threads for that.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::IncrementalIgnore;
use tokio_util::sync::CancellationToken;

use crate::absence::{RealFolders, is_unlisted, leave_behind, missing};
use crate::folder::{FolderIdentity, VaultFolder};
use crate::found::{Found, is_absent};
use crate::known::Known;
use crate::names;
use crate::plan::{Plan, plan};
use crate::reconcile::ReconcileError;
use crate::rules;
use crate::stamp::stamp_of;
use crate::walk::{FolderHook, Scope, Walked, walk};

/// Above this many folders to look into, one walk over the whole vault is cheaper.
const SCOPE_FOLDERS_MAX: usize = 256;

/// What a look at the disk needs.
#[derive(Clone)]
pub(crate) struct Survey {
    pub(crate) folder: VaultFolder,
    pub(crate) known: Arc<Known>,
    pub(crate) hook: Option<FolderHook>,
    pub(crate) token: CancellationToken,
    /// The folder that was at the root when the engine began.
    pub(crate) identity: FolderIdentity,
    /// Whether that very folder has been seen with files by this process.
    pub(crate) trusted: bool,
}

impl Survey {
    /// Walks the whole vault.
    pub(crate) fn all(&self) -> Result<Plan, ReconcileError> {
        let mut walked = self.walk(&Scope::All)?;
        // The folder may have been unmounted under the walk; then what it saw says nothing.
        self.check_identity()?;
        if walked.found.is_empty() && !self.known.is_empty() && !self.trusted {
            self.refuse_empty()?;
        }
        walked.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut gone = missing(self.known.paths(), &walked.found);
        gone.retain(|path| !is_unlisted(path, &walked.unlisted));
        leave_behind(&self.folder, &self.known, &mut walked.found, &mut gone);
        self.check_identity()?;
        Ok(plan(&self.known, walked.found, gone))
    }

    /// Looks at `paths`, relative to the root; a folder is walked. Also returns the matcher if
    /// its rules still hold.
    pub(crate) fn paths(
        &self,
        matcher: Option<IncrementalIgnore>,
        paths: &[PathBuf],
    ) -> Result<(Plan, Option<IncrementalIgnore>), ReconcileError> {
        self.check_identity()?;
        let Some(mut matcher) = matcher.or_else(|| rules::matcher(self.folder.root())) else {
            return Ok((self.all()?, None));
        };
        let mut looks = Looks::default();
        let mut parents = RealFolders::new(self.folder.root());
        for path in paths {
            self.look(path, &mut matcher, &mut parents, &mut looks);
        }
        if looks.folders.len() > SCOPE_FOLDERS_MAX {
            return Ok((self.all()?, None));
        }
        let matcher = if looks.folders.is_empty() {
            Some(matcher)
        } else {
            self.look_below(&mut looks)?;
            None // a folder that came may have brought rules
        };
        looks.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        looks.found.dedup_by(|a, b| a.path == b.path);
        let missed = looks.missed.iter().map(String::as_str);
        let mut gone = missing(
            missed.filter(|path| self.known.get(path).is_some()),
            &looks.found,
        );
        leave_behind(&self.folder, &self.known, &mut looks.found, &mut gone);
        // Deletions that were only hinted at because the disk went away must not count.
        self.check_identity()?;
        Ok((plan(&self.known, looks.found, gone), matcher))
    }

    fn look(
        &self,
        relative: &Path,
        matcher: &mut IncrementalIgnore,
        parents: &mut RealFolders,
        looks: &mut Looks,
    ) {
        let path = names::vault_path(relative).unwrap_or_else(|shown| shown);
        let parent = relative.parent().unwrap_or_else(|| Path::new(""));
        let metadata = if parents.contains(parent) {
            std::fs::symlink_metadata(self.folder.root().join(relative))
        } else {
            Err(io::ErrorKind::NotFound.into())
        };
        let is_folder = metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        let left_out = relative.iter().any(names::is_hidden)
            || (!is_folder && relative.file_name().is_some_and(names::is_temporary))
            || matcher.matched(relative, is_folder).is_ignore();
        looks
            .missed
            .extend(self.known.below(&path).map(str::to_owned));
        looks.missed.insert(path.clone());
        if left_out {
            return;
        }
        match metadata {
            Ok(metadata) if is_folder => {
                if names::vault_path(relative).is_err() {
                    looks
                        .found
                        .push(Found::name_not_utf8(path, stamp_of(&metadata)));
                } else {
                    looks.folders.insert(relative.to_path_buf());
                }
            }
            // Its folder cannot be searched: nothing can be said, so nothing is changed.
            Err(error) if !is_absent(&error) => {
                looks
                    .missed
                    .retain(|missed| !is_unlisted(missed, std::slice::from_ref(&path)));
            }
            metadata => looks
                .found
                .extend(Found::classify(&self.folder, relative, metadata)),
        }
    }

    fn look_below(&self, looks: &mut Looks) -> Result<(), ReconcileError> {
        if let Some(hook) = &self.hook {
            for folder in &looks.folders {
                hook(&self.folder.root().join(folder));
            }
        }
        let folders = std::mem::take(&mut looks.folders);
        let Walked { found, unlisted } = self.walk(&Scope::Below(folders.into_iter().collect()))?;
        looks.missed.retain(|path| !is_unlisted(path, &unlisted));
        looks.found.extend(found);
        Ok(())
    }

    fn walk(&self, scope: &Scope) -> Result<Walked, ReconcileError> {
        let walked = walk(&self.folder, scope, self.hook.as_ref(), &self.token)
            .map_err(|source| self.folder_gone(source))?;
        if self.token.is_cancelled() {
            return Err(ReconcileError::Interrupted);
        }
        Ok(walked)
    }

    fn check_identity(&self) -> Result<(), ReconcileError> {
        match self.folder.identity() {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err(self.folder_gone(io::Error::other("another folder is in its place"))),
            Err(source) => Err(self.folder_gone(source)),
        }
    }

    fn folder_gone(&self, source: io::Error) -> ReconcileError {
        ReconcileError::FolderGone {
            root: self.folder.root().to_path_buf(),
            source,
        }
    }

    /// Refuses a folder without a single entry, hidden ones included: that is what an unmounted
    /// disk leaves behind.
    fn refuse_empty(&self) -> Result<(), ReconcileError> {
        let root = self.folder.root();
        let mut entries = std::fs::read_dir(root).map_err(|source| self.folder_gone(source))?;
        if entries.next().is_some() {
            return Ok(());
        }
        Err(ReconcileError::FolderEmpty {
            root: root.to_path_buf(),
            known: self.known.len(),
        })
    }
}

/// What looking at single paths has gathered.
#[derive(Default)]
struct Looks {
    found: Vec<Found>,
    folders: BTreeSet<PathBuf>,
    /// Paths that are gone unless they are found.
    missed: HashSet<String>,
}
