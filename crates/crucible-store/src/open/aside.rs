//! Moves damaged files out of the way, keeping the last two for whoever wants to know why.

use std::io;
use std::path::{Path, PathBuf};

/// How many damaged copies of one part are kept.
const KEPT_MAX: u32 = 2;

/// Moves `path` to `path.damaged-1`; what was there becomes `-2`, and what was there goes.
/// Returns the new place, or `None` when nothing was at `path`.
pub(super) fn move_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    if !exists(path)? {
        return Ok(None);
    }
    remove(&numbered(path, KEPT_MAX))?;
    for number in (1..KEPT_MAX).rev() {
        let from = numbered(path, number);
        if exists(&from)? {
            std::fs::rename(&from, numbered(path, number + 1))?;
        }
    }
    let to = numbered(path, 1);
    std::fs::rename(path, &to)?;
    Ok(Some(to))
}

/// Says whether the folder at `path` holds nothing but what a creation that failed leaves behind:
/// files whose names begin with a dot.
pub(super) fn is_blank(path: &Path) -> io::Result<bool> {
    if !path.is_dir() {
        return Ok(false);
    }
    for entry in std::fs::read_dir(path)? {
        if !entry?.file_name().to_string_lossy().starts_with('.') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Deletes the file or folder at `path`, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn exists(path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_copies_are_kept_the_newest_first() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("part");
        assert_eq!(move_aside(&path).unwrap(), None);
        for content in ["one", "two", "three"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(
                move_aside(&path).unwrap(),
                Some(place.path().join("part.damaged-1"))
            );
        }
        let read = |name| std::fs::read_to_string(place.path().join(name)).unwrap();
        assert_eq!(read("part.damaged-1"), "three");
        assert_eq!(read("part.damaged-2"), "two");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
    }
}
