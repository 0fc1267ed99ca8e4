//! The mark that says: this facts file was closed whole, and nobody has touched it since.
//!
//! Reading every page of a large facts file at each start takes longer than comparing the whole
//! vault with it. So the file is looked through at open only when there is reason to: after a
//! crash, or when its stamp is not the one that was noted when it was closed. Where the seal
//! holds, the running service looks it through in the background instead.

use std::fs;
use std::io;
use std::path::Path;

use crate::config::StoreConfig;

/// Notes that the facts file was closed whole as it stands now.
pub(crate) fn put(config: &StoreConfig) -> io::Result<()> {
    fs::write(config.seal_path(), stamp(&config.facts_path())?)
}

/// Takes the seal away, and says whether it held. The file may be written from here on.
pub(super) fn take(config: &StoreConfig) -> bool {
    let Ok(noted) = fs::read_to_string(config.seal_path()) else {
        return false;
    };
    // A seal that stays would vouch for whatever is written now.
    fs::remove_file(config.seal_path()).is_ok()
        && stamp(&config.facts_path()).is_ok_and(|stamp| stamp == noted)
        && !has_log(&config.facts_path())
}

/// A log of changes with content was left by a crash.
fn has_log(facts: &Path) -> bool {
    let mut log = facts.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|found| found.len() > 0)
}

/// What changes whenever somebody writes the file; the time of its last change of status cannot
/// be set back by a program.
#[cfg(unix)]
fn stamp(path: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path)?;
    Ok(format!(
        "size={} inode={} modified={}.{:09} changed={}.{:09}\n",
        found.len(),
        found.ino(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec()
    ))
}

/// What changes whenever somebody writes the file.
#[cfg(not(unix))]
fn stamp(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    Ok(format!(
        "size={} modified={:?}\n",
        found.len(),
        found.modified()?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> (tempfile::TempDir, StoreConfig) {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig::new(dir.path());
        fs::write(config.facts_path(), "facts").unwrap();
        put(&config).unwrap();
        (dir, config)
    }

    #[test]
    fn seal_of_an_untouched_file_holds_once() {
        let (_dir, config) = sealed();
        assert!(take(&config));
        assert!(!take(&config));
    }

    #[test]
    fn seal_of_a_file_that_was_written_does_not_hold() {
        let (_dir, config) = sealed();
        fs::write(config.facts_path(), "fact2").unwrap();
        assert!(!take(&config));
    }

    #[test]
    fn seal_beside_a_log_does_not_hold() {
        let (dir, config) = sealed();
        fs::write(dir.path().join("facts.db-wal"), "x").unwrap();
        assert!(!take(&config));
    }
}
