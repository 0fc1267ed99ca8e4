//! Watches the folders of the vault through the operating system.
//!
//! On Linux each folder has a watch of its own, set by the walk **before** the folder is listed,
//! so that no file can appear unseen between the two; folders that are left out (`.git`) cost no
//! watch. Elsewhere one recursive watch covers the vault.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use notify::{
    Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
};

use crate::hints::HintBook;
use crate::names;
use crate::walk::FolderHook;

/// Too many open files: how Linux refuses one more watcher (`inotify_init1`).
const EMFILE: i32 = 24;
/// ENOMEM, ENFILE, EMFILE and ENOSPC: the ways to run out, by their numbers on Linux.
const EXHAUSTIONS: [i32; 4] = [12, 23, EMFILE, 28];

const BY_FOLDER: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A watch over the vault; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watching {
    watcher: Mutex<RecommendedWatcher>,
    folders: AtomicUsize,
    folders_max: usize,
    fault: Mutex<Option<String>>,
}

impl Watching {
    /// Begins to watch the root; hints go to `book`. `Err` is the cause and the cure. Blocks.
    pub(crate) fn begin(
        root: &Path,
        book: Arc<HintBook>,
        folders_max: usize,
    ) -> Result<Arc<Self>, String> {
        let config = Config::default().with_follow_symlinks(false);
        let home = root.to_path_buf();
        let handler = move |event| take(&home, event, &book);
        let mut watcher =
            RecommendedWatcher::new(handler, config).map_err(|error| explain(&error))?;
        let mode = if BY_FOLDER {
            RecursiveMode::NonRecursive
        } else {
            RecursiveMode::Recursive
        };
        watcher.watch(root, mode).map_err(|error| explain(&error))?;
        Ok(Arc::new(Self {
            watcher: Mutex::new(watcher),
            folders: AtomicUsize::new(1),
            folders_max,
            fault: Mutex::default(),
        }))
    }

    /// Returns what the walk calls for each folder.
    pub(crate) fn hook(self: &Arc<Self>) -> Option<FolderHook> {
        let watching = Arc::clone(self);
        BY_FOLDER.then(|| Arc::new(move |folder: &Path| watching.add(folder)) as FolderHook)
    }

    /// Prepares for a walk over the whole vault, which adds every folder once more.
    pub(crate) fn begin_walk(&self) {
        self.folders.store(1, Ordering::Relaxed);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns why some folders are not watched.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, folder: &Path) {
        if self.fault().is_some() {
            return;
        }
        let fault = if self.folders.fetch_add(1, Ordering::Relaxed) >= self.folders_max {
            Some(format!(
                "more than {} folders; raise watch_folders_max",
                self.folders_max
            ))
        } else {
            let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                // A folder that went away or cannot be read is the walk's to report.
                Ok(()) => None,
                Err(error) => is_exhaustion(&error).then(|| explain(&error)),
            }
        };
        if let Some(fault) = fault {
            self.set_fault(fault);
        }
    }

    /// Notes why some folders are not watched.
    pub(crate) fn set_fault(&self, fault: String) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

/// Turns what the system told into hints. Runs on the watcher's thread and never waits.
fn take(root: &Path, event: notify::Result<Event>, book: &HintBook) {
    let event = match event {
        Ok(event) => event,
        Err(error) if is_exhaustion(&error) => return book.report_fault(explain(&error)),
        Err(_) => return book.hint_everything(),
    };
    if event.need_rescan() {
        return book.hint_everything();
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return;
    }
    for path in event.paths {
        match relevance(root, &path) {
            Relevance::None => {}
            Relevance::Everything => book.hint_everything(),
            Relevance::Path(relative) => book.hint(relative),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Relevance {
    None,
    Path(PathBuf),
    Everything,
}

fn relevance(root: &Path, path: &Path) -> Relevance {
    let Ok(relative) = path.strip_prefix(root) else {
        return Relevance::None;
    };
    let Some(name) = relative.file_name() else {
        return Relevance::Everything; // the root itself
    };
    if relative
        .parent()
        .is_some_and(|parent| parent.iter().any(names::is_hidden))
    {
        Relevance::None
    } else if names::is_rule_file(name) {
        Relevance::Everything
    } else if names::is_hidden(name) {
        Relevance::None
    } else {
        Relevance::Path(relative.to_path_buf())
    }
}

fn is_exhaustion(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(error) => error
            .raw_os_error()
            .is_some_and(|code| EXHAUSTIONS.contains(&code)),
        _ => false,
    }
}

/// Says why watching does not work, and what to do.
fn explain(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => "the system's limit of watched folders is reached; raise it \
             with: sudo sysctl fs.inotify.max_user_watches=1048576"
            .to_owned(),
        ErrorKind::Io(io) if io.raw_os_error() == Some(EMFILE) => {
            "the system's limit of watchers is reached; raise it with: sudo sysctl \
             fs.inotify.max_user_instances=1024 (and look at `ulimit -n`)"
                .to_owned()
        }
        _ => format!("the system does not watch the folder ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &Relevance) {
        assert_eq!(
            &relevance(Path::new("/home/.me/vault"), Path::new(path)),
            expected,
            "{path}"
        );
    }

    #[test]
    fn hints_are_told_from_noise() {
        check("/home/.me/vault/a/b.md", &Relevance::Path("a/b.md".into()));
        check("/home/.me/vault", &Relevance::Everything);
        check("/home/.me/vault/a/.gitignore", &Relevance::Everything);
        check("/home/.me/vault/.crucibleignore", &Relevance::Everything);
        check("/home/.me/vault/.git/x/.gitignore", &Relevance::None);
        check("/home/.me/vault/.obsidian/app.json", &Relevance::None);
        check("/elsewhere/a.md", &Relevance::None);
    }

    #[test]
    fn exhausted_watches_name_the_cure() {
        let error = notify::Error::new(ErrorKind::MaxFilesWatch);
        assert!(is_exhaustion(&error));
        assert!(explain(&error).contains("fs.inotify.max_user_watches"));
    }
}
