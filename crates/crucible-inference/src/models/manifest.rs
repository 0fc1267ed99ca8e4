//! What is noted beside a model's files when it is brought in.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, FILES};

/// The file that it is kept in.
const FILE: &str = "crucible-model.json";
/// The longest such file that is read.
const BYTES_MAX: u64 = 1 << 16;

/// What is noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// BLAKE3 over the files.
    pub revision: String,
    /// What they take.
    pub bytes: u64,
    /// Where they came from.
    pub source: String,
}

impl Manifest {
    /// Reads it; `None` when it is not there or no longer fits the files.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let manifest = Self::read_as_it_is(folder)?;
        let written = modified(&folder.join(FILE))?;
        // Strictly older: clocks of file systems tick in milliseconds, and a file can be replaced
        // within the tick in which this one was written.
        let is_newest = |name| modified(&folder.join(name)).is_none_or(|time| time < written);
        let is_current = size(folder).ok()? == manifest.bytes && FILES.into_iter().all(is_newest);
        is_current.then_some(manifest)
    }

    fn read_as_it_is(folder: &Path) -> Option<Self> {
        let bytes = crate::local::read_small(&folder.join(FILE), BYTES_MAX).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Makes it for files that were put there by hand, and keeps it if the folder can be written.
    pub(super) fn learn(folder: &Path) -> Result<Self, Error> {
        let mut manifest = Self::make(folder, "")?;
        if let Some(former) = Self::read_as_it_is(folder)
            && former.revision == manifest.revision
        {
            manifest.source = former.source;
        }
        if let Err(error) = manifest.write(folder) {
            tracing::debug!(%error, "what is known about a model is found out anew each time");
        }
        Ok(manifest)
    }

    /// Makes it from the files.
    pub(super) fn make(folder: &Path, source: &str) -> Result<Self, Error> {
        let mut hasher = blake3::Hasher::new();
        for name in FILES {
            let path = folder.join(name);
            if path.is_file() {
                hasher.update(name.as_bytes());
                let file = fs::File::open(&path).map_err(Error::io(&path))?;
                hasher.update_reader(file).map_err(Error::io(&path))?;
            }
        }
        Ok(Self {
            revision: hasher.finalize().to_hex()[..32].to_owned(),
            bytes: size(folder)?,
            source: source.to_owned(),
        })
    }

    /// Writes it.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::io(&path)(std::io::Error::other(error)))?;
        fs::write(&path, text).map_err(Error::io(&path))
    }
}

/// Returns the bytes of all files of a model.
pub(super) fn size(folder: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for name in FILES {
        let path = folder.join(name);
        match fs::metadata(&path) {
            Ok(metadata) => bytes += metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&path)(error)),
        }
    }
    Ok(bytes)
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
