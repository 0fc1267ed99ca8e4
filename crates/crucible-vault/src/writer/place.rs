//! One folder of the vault, held open: files are read, put and taken away within it.
//!
//! The folder is reached from the root one name at a time, and links are refused on the way and
//! at the end. Whatever happens to the path afterwards, what is done through this handle is done
//! in the folder that was reached: nothing outside of the vault can be written.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::folder::VaultFolder;
use crucible_services::note_index::FileStamp;

/// The rights of a new note; the process's mask takes some away.
const NEW_MODE: u32 = 0o666;

/// A folder of the vault.
#[derive(Debug)]
pub(super) struct Place {
    fd: OwnedFd,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) bytes: Vec<u8>,
    /// Its rights.
    pub(super) mode: u32,
}

impl Place {
    /// Opens the folder at `path`, relative to the root; empty for the root itself.
    pub(super) fn open(folder: &VaultFolder, path: &str) -> io::Result<Self> {
        Self::reach(folder, path, false)
    }

    /// The same, and creates the folders that are missing.
    pub(super) fn create(folder: &VaultFolder, path: &str) -> io::Result<Self> {
        Self::reach(folder, path, true)
    }

    fn reach(folder: &VaultFolder, path: &str, create: bool) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut fd = rustix::fs::open(folder.root(), flags, Mode::empty())?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            fd = match rustix::fs::openat(&fd, name, flags, Mode::empty()) {
                Err(Errno::NOENT) if create => {
                    match rustix::fs::mkdirat(&fd, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) => rustix::fs::fsync(&fd)?,
                        Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    rustix::fs::openat(&fd, name, flags, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(Self { fd })
    }

    /// Reads a file; `None` when nothing is there.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> io::Result<Option<Current>> {
        let flags =
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(not_a_file("a link, and links are not followed")),
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(not_a_file("not a regular file"));
        }
        let file = File::from(fd);
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(io::Error::other(format!(
                "it is larger than the limit of {bytes_max} bytes"
            )));
        }
        Ok(Some(Current {
            bytes,
            mode: Mode::from_raw_mode(stat.st_mode).as_raw_mode(),
        }))
    }

    /// Returns the stamp of a file; `None` when nothing is there.
    pub(super) fn stamp(&self, name: &str) -> io::Result<Option<FileStamp>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileStamp {
                size: u64::try_from(stat.st_size).unwrap_or(0),
                modified_ns: stat
                    .st_mtime
                    .saturating_mul(1_000_000_000)
                    .saturating_add(i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
                inode: stat.st_ino,
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a new file and brings it to the disk; with the rights `mode`, or those of new files.
    /// Returns its stamp.
    pub(super) fn stage(
        &self,
        name: &str,
        bytes: &[u8],
        mode: Option<u32>,
    ) -> io::Result<FileStamp> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(NEW_MODE))?;
        let mut file = File::from(fd);
        if let Some(mode) = mode {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(crate::stamp::stamp_of(&file.metadata()?))
    }

    /// Gives a staged file its name, in place of the file that has it.
    pub(super) fn put_over(&self, staged: &str, name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, staged, &self.fd, name)?)
    }

    /// Gives a file a name that nothing has, here or in another folder; `AlreadyExists` when
    /// something has it.
    pub(super) fn put_new(&self, old: &str, to: &Self, name: &str) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        match rustix::fs::renameat_with(&self.fd, old, &to.fd, name, RenameFlags::NOREPLACE) {
            // Not offered by this kernel or file system: in two steps, below.
            Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => {}
            renamed => return Ok(renamed?),
        }
        self.put_new_in_steps(old, to, name)
    }

    /// A second name is refused where something has it, as `NOREPLACE` is; where files have one
    /// name only (FAT), a look before the rename must do.
    fn put_new_in_steps(&self, old: &str, to: &Self, name: &str) -> io::Result<()> {
        match rustix::fs::linkat(&self.fd, old, &to.fd, name, AtFlags::empty()) {
            Ok(()) => self.remove(old),
            Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::MLINK) => {
                if to.stamp(name)?.is_some() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                Ok(rustix::fs::renameat(&self.fd, old, &to.fd, name)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file another name, whatever has it: for names that the system takes for one.
    pub(super) fn rename(&self, old: &str, to: &Self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, old, &to.fd, name)?)
    }

    /// Takes a file away; nothing happens when there is none.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings names that came and went to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// Returns the names in the folder that are UTF-8.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

fn not_a_file(what: &str) -> io::Error {
    io::Error::other(format!("it is {what}"))
}

/// Splits a path into its folder, empty for the root, and its name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VaultConfig;

    fn vault() -> (tempfile::TempDir, VaultFolder) {
        let place = tempfile::tempdir().unwrap();
        let folder = VaultFolder::open(&VaultConfig::new(place.path())).unwrap();
        (place, folder)
    }

    type PutNew = fn(&Place, &str, &Place, &str) -> io::Result<()>;
    const BOTH: [PutNew; 2] = [Place::put_new, Place::put_new_in_steps];

    #[test]
    fn a_new_name_is_never_taken_from_another_file() {
        for put_new in BOTH {
            let (at, folder) = vault();
            let place = Place::open(&folder, "").unwrap();
            place.stage("staged", b"new", None).unwrap();
            std::fs::write(at.path().join("a.md"), "theirs").unwrap();
            let refused = put_new(&place, "staged", &place, "a.md").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(at.path().join("a.md")).unwrap(), b"theirs");
            put_new(&place, "staged", &place, "b.md").unwrap();
            assert_eq!(std::fs::read(at.path().join("b.md")).unwrap(), b"new");
            assert_eq!(place.stamp("staged").unwrap(), None);
        }
    }

    #[test]
    fn links_are_neither_passed_nor_read() {
        let (at, folder) = vault();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret.md"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), at.path().join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.md"), at.path().join("s.md"))
            .unwrap();
        assert!(Place::open(&folder, "out").is_err());
        assert!(Place::create(&folder, "out/sub").is_err());
        let root = Place::open(&folder, "").unwrap();
        assert!(
            root.read("s.md", 100)
                .unwrap_err()
                .to_string()
                .contains("a link")
        );
        assert!(std::fs::read_dir(outside.path()).unwrap().count() == 1);
    }

    #[test]
    fn a_folder_that_is_moved_away_under_the_handle_leads_nowhere_else() {
        let (at, folder) = vault();
        let outside = tempfile::tempdir().unwrap();
        let place = Place::create(&folder, "a/b").unwrap();
        std::fs::rename(at.path().join("a"), at.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(outside.path(), at.path().join("a")).unwrap();
        place.stage("x", b"x", None).unwrap();
        assert!(at.path().join("moved/b/x").exists());
        assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
    }

    #[test]
    fn a_staged_file_has_the_rights_asked_for() {
        use std::os::unix::fs::PermissionsExt as _;
        let (at, folder) = vault();
        let place = Place::open(&folder, "").unwrap();
        let stamp = place.stage("x", b"abc", Some(0o640)).unwrap();
        let metadata = std::fs::metadata(at.path().join("x")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        assert_eq!(place.stamp("x").unwrap(), Some(stamp));
        assert_eq!(place.read("x", 3).unwrap().unwrap().mode, 0o640);
        assert!(place.read("x", 2).is_err());
    }
}
