//! Walks the folder, or parts of it, and looks at each file once.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkState};
use tokio_util::sync::CancellationToken;

use crate::folder::VaultFolder;
use crate::found::{Found, is_absent};
use crate::names;
use crate::rules::walk_builder;
use crate::stamp::{NEVER, stamp_of};

/// Called with each folder of the vault **before** it is listed, from several threads: whoever
/// watches it from then on misses nothing.
pub(crate) type FolderHook = Arc<dyn Fn(&Path) + Send + Sync>;

/// Which part of the folder to walk.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// The whole.
    All,
    /// These folders, relative to the root, and what is below them.
    Below(Vec<PathBuf>),
}

/// What a walk saw.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The files, in no order.
    pub(crate) found: Vec<Found>,
    /// The folders that the system did not list; nothing can be said about their files.
    pub(crate) unlisted: Vec<String>,
}

/// Walks `scope`. `Err` when the root itself cannot be listed; a cancelled walk ends early and
/// its result says nothing.
pub(crate) fn walk(
    folder: &VaultFolder,
    scope: &Scope,
    hook: Option<&FolderHook>,
    token: &CancellationToken,
) -> io::Result<Walked> {
    let root = folder.root();
    let mut builder = walk_builder(root);
    builder.max_depth(Some(folder.depth_max().saturating_add(1)));
    if matches!(scope, Scope::Below(_)) {
        builder.threads(1);
    }
    let admission = Admission::new(folder, scope, hook.cloned());
    builder.filter_entry(move |entry| admission.admits(entry));
    let collection = Collection {
        folder,
        token,
        walked: Mutex::default(),
        root_error: Mutex::new(None),
    };
    builder.build_parallel().visit(&mut &collection);
    let root_error = collection
        .root_error
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    match root_error {
        Some(error) => Err(error),
        None => Ok(collection
            .walked
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)),
    }
}

/// Decides what the walk descends into and looks at, beyond the rules of the ignore files.
struct Admission {
    targets: Option<HashSet<PathBuf>>,
    ways: HashSet<PathBuf>,
    depth_max: usize,
    hook: Option<FolderHook>,
}

impl Admission {
    fn new(folder: &VaultFolder, scope: &Scope, hook: Option<FolderHook>) -> Self {
        let root = folder.root();
        let mut ways = HashSet::new();
        let targets = match scope {
            Scope::All => None,
            Scope::Below(targets) => {
                for target in targets {
                    ways.extend(target.ancestors().skip(1).map(|way| root.join(way)));
                }
                Some(targets.iter().map(|target| root.join(target)).collect())
            }
        };
        Self {
            targets,
            ways,
            depth_max: folder.depth_max(),
            hook,
        }
    }

    fn admits(&self, entry: &DirEntry) -> bool {
        if entry.depth() == 0 {
            return true;
        }
        // An ignore file can allow hidden names again (`!.obsidian`); the vault does not.
        if names::is_hidden(entry.file_name()) {
            return false;
        }
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = entry.path();
        let inside = self
            .targets
            .as_ref()
            .is_none_or(|targets| path.ancestors().any(|place| targets.contains(place)));
        if !is_folder {
            return inside && !names::is_temporary(entry.file_name());
        }
        if inside
            && entry.depth() <= self.depth_max
            && let Some(hook) = &self.hook
        {
            hook(path);
        }
        inside || self.ways.contains(path)
    }
}

struct Collection<'a> {
    folder: &'a VaultFolder,
    token: &'a CancellationToken,
    walked: Mutex<Walked>,
    root_error: Mutex<Option<io::Error>>,
}

impl<'s, 'a: 's> ParallelVisitorBuilder<'s> for &'a Collection<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 's> {
        Box::new(Collector {
            collection: self,
            walked: Walked::default(),
        })
    }
}

/// Collects what one thread sees; adds it to the whole at its end.
struct Collector<'a> {
    collection: &'a Collection<'a>,
    walked: Walked,
}

impl ParallelVisitor for Collector<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.collection.token.is_cancelled() {
            return WalkState::Quit;
        }
        match entry {
            Ok(entry) => self.visit_entry(&entry),
            Err(error) => self.visit_error(error),
        }
    }
}

impl Collector<'_> {
    fn visit_entry(&mut self, entry: &DirEntry) -> WalkState {
        let folder = self.collection.folder;
        if let Some(error) = entry.error() {
            tracing::warn!(%error, "an ignore file has rules that cannot be read; they do not count");
        }
        let Ok(relative) = entry.path().strip_prefix(folder.root()) else {
            return WalkState::Continue;
        };
        if entry.file_type().is_some_and(|kind| kind.is_dir()) {
            return self.visit_folder(entry, relative);
        }
        let metadata = entry.metadata().map_err(into_io_error);
        self.walked
            .found
            .extend(Found::classify(folder, relative, metadata));
        WalkState::Continue
    }

    fn visit_folder(&mut self, entry: &DirEntry, relative: &Path) -> WalkState {
        let stamp = || {
            entry
                .metadata()
                .map_or(NEVER, |metadata| stamp_of(&metadata))
        };
        let depth_max = self.collection.folder.depth_max();
        match names::vault_path(relative) {
            Err(shown) => {
                self.walked.found.push(Found::name_not_utf8(shown, stamp()));
                WalkState::Skip
            }
            Ok(path) if entry.depth() > depth_max => {
                self.walked
                    .found
                    .push(Found::too_deep(path, stamp(), depth_max));
                WalkState::Skip
            }
            Ok(_) => WalkState::Continue,
        }
    }

    fn visit_error(&mut self, error: ignore::Error) -> WalkState {
        if error.io_error().is_none() {
            tracing::warn!(%error, "part of the vault was passed over");
            return WalkState::Continue;
        }
        let root = self.collection.folder.root();
        let place = place_of(&error).map(Path::to_path_buf);
        let error = into_io_error(error);
        match place {
            Some(place) if place != root => {
                if !is_absent(&error)
                    && let Ok(relative) = place.strip_prefix(root)
                {
                    let path = names::vault_path(relative).unwrap_or_else(|shown| shown);
                    self.walked.unlisted.push(path.clone());
                    self.walked.found.push(Found::unreadable(path, &error));
                }
                WalkState::Continue
            }
            _ => {
                let mut root_error = self
                    .collection
                    .root_error
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                *root_error = Some(error);
                WalkState::Quit
            }
        }
    }
}

impl Drop for Collector<'_> {
    fn drop(&mut self) {
        let mut walked = self
            .collection
            .walked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        walked.found.append(&mut self.walked.found);
        walked.unlisted.append(&mut self.walked.unlisted);
    }
}

fn place_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            place_of(err)
        }
        ignore::Error::Partial(errors) => errors.iter().find_map(place_of),
        _ => None,
    }
}

fn into_io_error(error: ignore::Error) -> io::Error {
    let text = error.to_string();
    error
        .into_io_error()
        .unwrap_or_else(|| io::Error::other(text))
}
