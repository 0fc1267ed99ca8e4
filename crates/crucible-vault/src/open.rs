//! Opens a file of the vault such that nothing outside can be reached and nothing blocks.
//!
//! A path can change between a look and an `open`: a folder may have become a link to elsewhere,
//! a note a pipe. So links are refused by the system while it resolves the path (`openat2`, Linux
//! 5.6), and `open` never waits for the other end of a pipe (`O_NONBLOCK`).

use std::fs::File;
use std::io;
use std::path::{Component, Path};

/// Opens the regular file at `relative` below `root`, following no link.
///
/// `root` must be canonical and `relative` free of `..`.
pub(crate) fn open_beneath(root: &Path, relative: &Path) -> io::Result<File> {
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(io::ErrorKind::NotFound.into());
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{CWD, Mode, ResolveFlags, openat2};
        let opened = openat2(
            CWD,
            root.join(relative),
            flags(),
            Mode::empty(),
            ResolveFlags::NO_SYMLINKS,
        );
        match opened {
            // Not offered by this kernel, or forbidden by a sandbox: step by step below.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
            Ok(file) => return Ok(file.into()),
        }
    }
    open_stepwise(root, relative)
}

/// Looks at each folder on the way, then opens. A folder that becomes a link in between is
/// followed: that is why it is only the second choice.
fn open_stepwise(root: &Path, relative: &Path) -> io::Result<File> {
    let mut place = root.to_path_buf();
    if let Some(parent) = relative.parent() {
        for part in parent.components() {
            place.push(part);
            if !std::fs::symlink_metadata(&place)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
    }
    let place = root.join(relative);
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(flags().bits().cast_signed());
    }
    #[cfg(not(unix))]
    if std::fs::symlink_metadata(&place)?.is_symlink() {
        return Err(io::ErrorKind::NotFound.into());
    }
    options.open(place)
}

#[cfg(unix)]
fn flags() -> rustix::fs::OFlags {
    use rustix::fs::OFlags;
    OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY
}

#[cfg(test)]
mod tests {
    use super::*;

    type Open = fn(&Path, &Path) -> io::Result<File>;
    const BOTH: [Open; 2] = [open_beneath, open_stepwise];

    #[test]
    fn regular_file_opens() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        std::fs::write(root.join("a/b.md"), "x").unwrap();
        for open in BOTH {
            assert!(open(&root, Path::new("a/b.md")).is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_on_the_way_and_at_the_end_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.md"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.md"), root.join("s.md")).unwrap();
        for open in BOTH {
            assert!(open(&root, Path::new("out/secret.md")).is_err());
            assert!(open(&root, Path::new("s.md")).is_err());
        }
    }

    #[test]
    fn parent_components_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert!(open_beneath(&root, Path::new("../x")).is_err());
        assert!(open_beneath(&root, Path::new("/etc/passwd")).is_err());
    }
}
