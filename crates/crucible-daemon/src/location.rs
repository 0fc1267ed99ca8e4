//! Where the index of a vault lives.
//!
//! By default below the user's data folder, in a folder named after the vault and a hash of its
//! path, so that nothing appears in the vault itself. When asked, in `.crucible/` inside the vault
//! instead; a `.crucible/index` that exists is used without asking again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crucible_vault::{LeftOut, VaultConfig, VaultFolder, left_out};
use serde::{Deserialize, Serialize};

/// The folder inside a vault that holds the index when the user asked for it there.
pub const IN_VAULT: &str = ".crucible";
const VAULTS: &str = "vaults";
const VAULT_FILE: &str = "vault.json";
const INDEX: &str = "index";
const STATE: &str = "state";
const STATE_FILE: &str = "state.db";
const HISTORY: &str = "history";
/// A folder name in front of the hash is for people: this many characters say enough.
const NAME_CHARS_MAX: usize = 40;
/// 64 bits of BLAKE3 keep the vaults of one person apart.
const HASH_DIGITS: usize = 16;

/// The folders that belong to one vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    vault: PathBuf,
    home: PathBuf,
}

/// What `vault.json` says, so that a data folder can be read without its vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct VaultFile {
    /// For people and for finding the vault again; a path that is not UTF-8 is not found again.
    vault: String,
}

impl Location {
    /// Finds the place of a vault's index; nothing is created.
    ///
    /// # Errors
    /// When `vault` is not a folder that can be reached.
    pub fn find(vault: &Path, data_dir: &Path, in_vault: bool) -> Result<Self, Error> {
        let canonical = vault.canonicalize().map_err(|source| Error::Vault {
            vault: vault.to_owned(),
            source,
        })?;
        if !canonical.is_dir() {
            return Err(Error::NotAFolder { vault: canonical });
        }
        let inside = canonical.join(IN_VAULT);
        let home = if in_vault || inside.join(INDEX).is_dir() {
            inside
        } else {
            data_dir.join(VAULTS).join(folder_name(&canonical))
        };
        Ok(Self {
            vault: canonical,
            home,
        })
    }

    /// Finds the vault that encloses `start` and has an index already, nearest first.
    #[must_use]
    pub fn find_enclosing(start: &Path, data_dir: &Path) -> Option<Self> {
        let start = start.canonicalize().ok()?;
        start.ancestors().find_map(|folder| {
            let location = Self::find(folder, data_dir, false).ok()?;
            location.index_dir().is_dir().then_some(location)
        })
    }

    /// Returns the places of all vaults that have had an index below `data_dir`.
    #[must_use]
    pub fn known(data_dir: &Path) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(data_dir.join(VAULTS)) else {
            return Vec::new();
        };
        let mut known: Vec<Self> = entries
            .filter_map(|entry| {
                let home = entry.ok()?.path();
                let text = fs::read_to_string(home.join(VAULT_FILE)).ok()?;
                let file: VaultFile = serde_json::from_str(&text).ok()?;
                let vault = PathBuf::from(file.vault);
                vault.is_dir().then_some(Self { vault, home })
            })
            .collect();
        known.sort_by(|a, b| a.vault.cmp(&b.vault));
        known
    }

    /// Creates the folders, readable by their owner alone.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn create(&self) -> Result<(), Error> {
        let refused = |source| Error::Create {
            home: self.home.clone(),
            source,
        };
        create_private(&self.home.join(STATE)).map_err(refused)?;
        if self.is_in_vault() {
            // Version control and other indexers leave the folder alone.
            fs::write(self.home.join(".gitignore"), "*\n").map_err(refused)?;
        }
        let file = VaultFile {
            vault: self.vault.to_string_lossy().into_owned(),
        };
        let text = serde_json::to_string(&file).expect("plain text serialises");
        fs::write(self.home.join(VAULT_FILE), text).map_err(refused)
    }

    /// Returns the notes of the vault that its rules leave out, at most `limit`, and how many
    /// there are.
    ///
    /// # Errors
    /// When the vault cannot be listed.
    pub async fn left_out(&self, limit: usize) -> Result<(Vec<LeftOut>, u64), Error> {
        let unreachable = |source| Error::Vault {
            vault: self.vault.clone(),
            source,
        };
        let config = VaultConfig::new(self.vault());
        tokio::task::spawn_blocking(move || {
            let folder = VaultFolder::open(&config).map_err(io::Error::other)?;
            left_out(&folder, limit)
        })
        .await
        .unwrap_or_else(|broken_off| Err(io::Error::other(broken_off)))
        .map_err(unreachable)
    }

    /// Returns the vault's folder, absolute, links resolved.
    #[must_use]
    pub fn vault(&self) -> &Path {
        &self.vault
    }

    /// Returns the vault's name: that of its folder.
    #[must_use]
    pub fn vault_name(&self) -> String {
        self.vault
            .file_name()
            .map_or_else(|| "vault".into(), |n| n.to_string_lossy().into_owned())
    }

    /// Returns the folder of everything that belongs to the vault but is not in it.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Returns the folder of the index; deleting it loses nothing but time.
    #[must_use]
    pub fn index_dir(&self) -> PathBuf {
        self.home.join(INDEX)
    }

    /// Returns the file of what cannot be derived from the notes: tokens, grants, values of
    /// scripts.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.home.join(STATE).join(STATE_FILE)
    }

    /// Returns the folder of former versions of notes.
    #[must_use]
    pub fn history_dir(&self) -> PathBuf {
        self.home.join(STATE).join(HISTORY)
    }

    /// Says whether the index lives inside the vault.
    #[must_use]
    pub fn is_in_vault(&self) -> bool {
        self.home.starts_with(&self.vault)
    }
}

fn folder_name(canonical: &Path) -> String {
    let hash = blake3::hash(canonical.as_os_str().as_encoded_bytes()).to_hex();
    let name: String = canonical
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(NAME_CHARS_MAX)
        .collect();
    format!("{name}-{}", &hash[..HASH_DIGITS])
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Why a vault has no place. Messages read after "failed to open the vault: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vault cannot be reached.
    #[error("{}: {source}; give the path of a folder of notes", vault.display())]
    Vault {
        /// The path that was given.
        vault: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The vault is not a folder.
    #[error("{} is not a folder; give the folder that holds the notes", vault.display())]
    NotAFolder {
        /// The path that was given.
        vault: PathBuf,
    },
    /// The folder of the index cannot be made.
    #[error("{} cannot be created: {source}; choose another place with --data-dir", home.display())]
    Create {
        /// The folder.
        home: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vaults_of_the_same_name_have_different_places() {
        let temp = tempfile::tempdir().unwrap();
        for parent in ["a", "b"] {
            fs::create_dir_all(temp.path().join(parent).join("notes")).unwrap();
        }
        let data = temp.path().join("data");
        let a = Location::find(&temp.path().join("a/notes"), &data, false).unwrap();
        let b = Location::find(&temp.path().join("b/notes"), &data, false).unwrap();
        assert_ne!(a.home(), b.home());
        assert!(a.home().starts_with(&data));
        assert_eq!(a.vault_name(), "notes");
    }

    #[test]
    fn index_inside_the_vault_is_found_without_asking_again() {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        let asked = Location::find(temp.path(), &data, true).unwrap();
        asked.create().unwrap();
        fs::create_dir_all(asked.index_dir()).unwrap();
        let again = Location::find(temp.path(), &data, false).unwrap();
        assert_eq!(again, asked);
        assert!(again.is_in_vault());
    }

    #[test]
    fn enclosing_vault_is_found_from_a_folder_within() {
        let temp = tempfile::tempdir().unwrap();
        let (vault, data) = (temp.path().join("v"), temp.path().join("data"));
        fs::create_dir_all(vault.join("deep/er")).unwrap();
        assert_eq!(
            Location::find_enclosing(&vault.join("deep/er"), &data),
            None
        );
        let location = Location::find(&vault, &data, false).unwrap();
        location.create().unwrap();
        fs::create_dir_all(location.index_dir()).unwrap();
        assert_eq!(
            Location::find_enclosing(&vault.join("deep/er"), &data),
            Some(location.clone())
        );
        assert_eq!(Location::known(&data), [location]);
    }

    #[test]
    fn missing_vault_is_named() {
        let error = Location::find(Path::new("/nowhere/at/all"), Path::new("/tmp"), false);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .starts_with("/nowhere/at/all: ")
        );
    }
}
