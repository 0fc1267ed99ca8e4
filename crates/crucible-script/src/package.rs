//! A script's folder: which files belong to it, and what tells one version from another.
//!
//! Only regular files inside the folder are read; a link is refused, so that nothing outside the
//! folder becomes part of a script. Fixtures below `tests/` are no part of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crucible_services::script::Error;

use crate::manifest::{self, Manifest};
use crate::protocol::ScriptSource;

/// The file that is compiled.
pub const ENTRY: &str = "main.rn";
/// The most source files of one script.
const FILES_MAX: usize = 64;
/// The largest source file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How deep folders may nest.
const DEPTH_MAX: usize = 8;
/// The folder of fixtures.
const TESTS: &str = "tests";

/// A script as it stands in its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its files.
    pub source: Arc<ScriptSource>,
}

/// When files were touched last: two equal stamps mean that nothing has to be read.
pub(crate) type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Package {
    /// Reads the script in `folder`, which is called like the folder.
    ///
    /// # Errors
    /// [`Error::Manifest`], or [`Error::Compile`] with the file that cannot be taken.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let name = folder.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_owned();
        manifest::check_name(&name).map_err(Error::Manifest)?;
        let path = folder.join(manifest::FILE);
        let text = read_file(&path, manifest::BYTES_MAX as u64).map_err(Error::Manifest)?;
        let manifest = Manifest::parse(&name, &text)?;
        let files = read_sources(folder)?;
        if !files.contains_key(ENTRY) {
            return Err(fault(
                ENTRY,
                "the file is missing; a script's code begins there",
            ));
        }
        let version = version_of(&text, &files);
        Ok(Self {
            manifest,
            source: Arc::new(ScriptSource {
                script: name,
                version,
                entry: ENTRY.to_owned(),
                files,
            }),
        })
    }
}

/// Returns the names of the folders that can hold scripts, sorted; none when there is no folder.
pub(crate) fn list(scripts_dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(scripts_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with(['.', '_']))
        .collect();
    names.sort();
    Ok(names)
}

/// Looks at the files of a script without reading them.
pub(crate) fn stamp(folder: &Path) -> Stamp {
    let mut stamp = Stamp::new();
    let mut paths = source_paths(folder).unwrap_or_default();
    paths.push(folder.join(manifest::FILE));
    for path in paths {
        if let Ok(found) = fs::symlink_metadata(&path) {
            stamp.push((path, found.len(), found.modified().ok()));
        }
    }
    stamp
}

fn read_sources(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    let mut files = BTreeMap::new();
    for path in source_paths(folder)? {
        let name = relative(folder, &path);
        let text = read_file(&path, FILE_BYTES_MAX).map_err(|why| fault(&name, why))?;
        files.insert(name, text);
    }
    Ok(files)
}

fn source_paths(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((below, depth)) = folders.pop() {
        let entries = fs::read_dir(&below).map_err(|error| {
            fault(
                &relative(folder, &below),
                format!("cannot be listed: {error}"),
            )
        })?;
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_fixtures = depth == 0 && entry.file_name() == TESTS;
            if is_folder && !is_fixtures && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|ending| ending == "rn") {
                found.push(path);
            }
        }
        if found.len() > FILES_MAX {
            return Err(fault(
                ENTRY,
                format!("the script has more than {FILES_MAX} files"),
            ));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a regular file as text; a link or a device is refused, and so is what is too long.
fn read_file(path: &Path, bytes_max: u64) -> Result<String, String> {
    let found = fs::symlink_metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the file is missing".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if !found.is_file() {
        return Err("it is no regular file; links are not followed".to_owned());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("it is larger than {bytes_max} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}

fn relative(folder: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(folder).unwrap_or(path).components();
    let parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}

fn fault(file: &str, message: impl Into<String>) -> Error {
    Error::Compile {
        file: file.to_owned(),
        line: 0,
        message: message.into(),
    }
}

fn version_of(manifest: &str, files: &BTreeMap<String, String>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(manifest.as_bytes());
    for (name, text) in files {
        add(name.as_bytes());
        add(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("sample");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (place, folder)
    }

    const MANIFEST: (&str, &str) = ("script.toml", "about = \"a\"\napi = 1\n");

    #[test]
    fn files_below_the_folder_belong_to_it_and_fixtures_do_not() {
        let (_place, folder) = script(&[
            MANIFEST,
            ("main.rn", "mod more;"),
            ("more/mod.rn", ""),
            ("tests/vault/a.rn", "x"),
            ("README.md", "x"),
        ]);
        let package = Package::read(&folder).unwrap();
        let files: Vec<&String> = package.source.files.keys().collect();
        assert_eq!(files, ["main.rn", "more/mod.rn"]);
        assert_eq!(package.source.script, "sample");
    }

    #[test]
    fn any_change_makes_another_version() {
        let (_place, folder) = script(&[MANIFEST, ("main.rn", "a"), ("b.rn", "")]);
        let first = Package::read(&folder).unwrap().source.version.clone();
        fs::write(folder.join("main.rn"), "").unwrap();
        fs::write(folder.join("b.rn"), "a").unwrap();
        let second = Package::read(&folder).unwrap().source.version.clone();
        assert_ne!(first, second);
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let (_place, folder) = script(&[MANIFEST]);
        let refused = Package::read(&folder).unwrap_err();
        assert!(refused.to_string().starts_with("main.rn"), "{refused}");
        fs::write(folder.join("main.rn"), [0xff, 0xfe]).unwrap();
        assert!(
            Package::read(&folder)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
        fs::write(folder.join("main.rn"), "x".repeat(300_000)).unwrap();
        assert!(
            Package::read(&folder)
                .unwrap_err()
                .to_string()
                .contains("larger than")
        );
        fs::remove_file(folder.join("script.toml")).unwrap();
        assert!(matches!(Package::read(&folder), Err(Error::Manifest(_))));
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_folder_are_refused() {
        let (place, folder) = script(&[MANIFEST]);
        let secret = place.path().join("secret");
        fs::write(&secret, "x").unwrap();
        std::os::unix::fs::symlink(&secret, folder.join("main.rn")).unwrap();
        let refused = Package::read(&folder).unwrap_err();
        assert!(
            refused.to_string().contains("links are not followed"),
            "{refused}"
        );
    }
}
