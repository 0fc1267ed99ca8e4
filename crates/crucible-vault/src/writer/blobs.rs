//! Former contents, each kept once under its hash.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::log::sync_folder;
use super::record::hash_of;

/// The folder of former contents.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    /// What is kept, with its size.
    sizes: HashMap<String, u64>,
}

impl Blobs {
    /// Opens the folder, and takes away what an interrupted write left.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut sizes = HashMap::new();
        for shelf in std::fs::read_dir(&folder)? {
            let shelf = shelf?;
            if !shelf.file_type()?.is_dir() {
                continue;
            }
            for entry in std::fs::read_dir(shelf.path())? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.len() == 64 {
                    sizes.insert(name, entry.metadata()?.len());
                } else {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(Self { folder, sizes })
    }

    /// Keeps a content; on disk on return.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> io::Result<String> {
        let hash = hash_of(bytes);
        if self.sizes.contains_key(&hash) {
            return Ok(hash);
        }
        let shelf = self.folder.join(&hash[..2]);
        if !shelf.exists() {
            std::fs::create_dir_all(&shelf)?;
            sync_folder(&self.folder)?;
        }
        let staged = shelf.join("new");
        let written = write(&staged, bytes)
            .and_then(|()| std::fs::rename(&staged, shelf.join(&hash)))
            .and_then(|()| sync_folder(&shelf));
        if let Err(error) = written {
            // It may be there or not; what cannot be taken away now is at the next open.
            let _absent = std::fs::remove_file(&staged);
            return Err(error);
        }
        self.sizes.insert(hash.clone(), bytes.len() as u64);
        Ok(hash)
    }

    /// Returns a content; `None` when it is not kept any more or is damaged.
    pub(super) fn get(&self, hash: &str) -> io::Result<Option<Vec<u8>>> {
        if !self.sizes.contains_key(hash) {
            return Ok(None);
        }
        let bytes = std::fs::read(self.folder.join(&hash[..2]).join(hash))?;
        Ok((hash_of(&bytes) == hash).then_some(bytes))
    }

    /// Returns the size of a content, in bytes.
    pub(super) fn size(&self, hash: &str) -> u64 {
        self.sizes.get(hash).copied().unwrap_or(0)
    }

    /// Returns the size of all contents, in bytes.
    pub(super) fn total(&self) -> u64 {
        self.sizes.values().sum()
    }

    /// Takes away what is not in `kept`.
    pub(super) fn retain(&mut self, kept: &HashSet<&str>) -> io::Result<()> {
        let gone: Vec<String> = self
            .sizes
            .keys()
            .filter(|hash| !kept.contains(hash.as_str()))
            .cloned()
            .collect();
        for hash in gone {
            std::fs::remove_file(self.folder.join(&hash[..2]).join(&hash))?;
            self.sizes.remove(&hash);
        }
        Ok(())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_kept_once_and_checked_when_they_come_back() {
        let place = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::open(place.path().join("blobs")).unwrap();
        let hash = blobs.keep(b"abc").unwrap();
        assert_eq!(blobs.keep(b"abc").unwrap(), hash);
        let other = blobs.keep(b"other").unwrap();
        std::fs::write(
            place.path().join("blobs").join(&hash[..2]).join("new"),
            "half",
        )
        .unwrap();

        let mut blobs = Blobs::open(place.path().join("blobs")).unwrap();
        assert_eq!(blobs.get(&hash).unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(blobs.size(&hash), 3);
        blobs.retain(&HashSet::from([hash.as_str()])).unwrap();
        assert_eq!(blobs.get(&other).unwrap(), None);
        std::fs::write(
            place.path().join("blobs").join(&hash[..2]).join(&hash),
            "abd",
        )
        .unwrap();
        assert_eq!(blobs.get(&hash).unwrap(), None);
    }
}
