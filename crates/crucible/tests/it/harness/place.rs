//! A vault and a data folder in a temporary place, and commands run against them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::{DEADLINE, Daemon, eventually};

/// The variables that would change what the binary does.
const VARIABLES: [&str; 4] = [
    "CRUCIBLE_VAULT",
    "CRUCIBLE_DATA_DIR",
    "CRUCIBLE_CONFIG",
    "CRUCIBLE_LOG",
];

/// A vault and a data folder; both go when it is dropped.
pub(crate) struct Place {
    temp: TempDir,
    data: PathBuf,
    /// The name of the vault's folder.
    name: &'static str,
}

/// What a command that has ended left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// A vault without notes.
    pub(crate) fn empty() -> Self {
        Self::empty_called("vault")
    }

    fn empty_called(name: &'static str) -> Self {
        let temp = tempfile::Builder::new()
            .prefix("crucible-it-")
            .tempdir()
            .unwrap();
        fs::create_dir(temp.path().join(name)).unwrap();
        let data = temp.path().join("data");
        Self { temp, data, name }
    }

    /// A vault with some notes: pairs of path and text.
    pub(crate) fn with(notes: &[(&str, &str)]) -> Self {
        let place = Self::empty();
        for (path, text) in notes {
            place.write(path, text);
        }
        place
    }

    /// A copy of the vault that the README shows.
    pub(crate) fn example() -> Self {
        Self::example_called("vault")
    }

    /// The same in a folder of this name, which people see.
    pub(crate) fn example_called(name: &'static str) -> Self {
        let place = Self::empty_called(name);
        copy_folder(&example_vault(), &place.vault());
        place
    }

    /// The same vault with another data folder, where nothing has been indexed yet.
    pub(crate) fn forget_index(&mut self) {
        fs::remove_dir_all(&self.data).unwrap();
    }

    /// Lets the data folder be elsewhere.
    pub(crate) fn set_data(&mut self, data: PathBuf) {
        self.data = data;
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.temp.path().canonicalize().unwrap()
    }

    pub(crate) fn vault(&self) -> PathBuf {
        self.root().join(self.name)
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of the vault's index below the data folder.
    pub(crate) fn index_dir(&self) -> PathBuf {
        self.home().join("index")
    }

    /// The folder of everything that belongs to the vault, below the data folder.
    pub(crate) fn home(&self) -> PathBuf {
        let vaults = fs::read_dir(self.data.join("vaults")).unwrap();
        let homes: Vec<PathBuf> = vaults.map(|entry| entry.unwrap().path()).collect();
        let [home] = homes.as_slice() else {
            panic!("one vault expected: {homes:?}")
        };
        home.clone()
    }

    /// Writes a file of the vault, with its folders.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.vault().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    /// The binary with this place's data folder and nothing of the caller's environment.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crucible"));
        command
            .current_dir(self.temp.path())
            .arg("--data-dir")
            .arg(&self.data)
            .args(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command.env("NO_COLOR", "1");
        // Nothing of the caller's own settings, scripts and tokens.
        command.env("HOME", self.temp.path());
        command.env("XDG_CONFIG_HOME", self.temp.path().join("config"));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        finish(self.command(args).spawn().unwrap(), &args.join(" "))
    }

    /// Runs a command about this vault to its end.
    pub(crate) fn about(&self, args: &[&str]) -> Output {
        let vault = self.vault();
        let mut all = args.to_vec();
        all.extend(["--vault", vault.to_str().unwrap()]);
        self.run(&all)
    }

    /// Runs a command about this vault that succeeds with JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        self.about(&all).succeeds().json()
    }

    /// The paths that `crucible search` finds.
    pub(crate) fn search(&self, words: &str) -> Vec<String> {
        hit_paths(&self.json(&["search", "-n", "100", words]))
    }

    /// Serves the vault and waits until it is ready.
    pub(crate) fn serve(&self) -> Daemon {
        let mut daemon = self.serve_unready(&[]);
        daemon.wait_ready();
        daemon
    }

    /// Serves the vault with more arguments, and waits for nothing.
    pub(crate) fn serve_unready(&self, more: &[&str]) -> Daemon {
        let vault = self.vault();
        let mut args = vec!["serve", vault.to_str().unwrap()];
        if !more.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        args.extend(more);
        self.spawn(&args)
    }

    /// Starts a command that announces itself as a daemon.
    pub(crate) fn spawn(&self, args: &[&str]) -> Daemon {
        Daemon::spawn(self.command(args), self.data.clone())
    }
}

impl Output {
    /// The output of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The output of a command that must have ended with this code.
    #[track_caller]
    pub(crate) fn fails_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }
}

/// The vault that the README shows.
pub(crate) fn example_vault() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/vault")
        .canonicalize()
        .unwrap()
}

/// The paths of the hits of a search answer.
pub(crate) fn hit_paths(answer: &Value) -> Vec<String> {
    let hits = answer["hits"]
        .as_array()
        .unwrap_or_else(|| panic!("no hits in {answer}"));
    hits.iter()
        .map(|hit| hit["path"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits for a process to end by itself and reads what it wrote.
pub(crate) fn finish(mut child: Child, what: &str) -> Output {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let out = std::thread::spawn(move || read_all(stdout));
    let err = std::thread::spawn(move || read_all(stderr));
    let begun = tokio::time::Instant::now();
    let status = eventually(what, || {
        if begun.elapsed() > DEADLINE / 2 {
            child.kill().unwrap();
        }
        child.try_wait().unwrap()
    });
    let (stdout, stderr) = (out.join().unwrap(), err.join().unwrap());
    Output {
        code: status.code(),
        stdout,
        stderr,
    }
}

fn read_all(pipe: Option<impl std::io::Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        std::io::Read::read_to_end(&mut pipe, &mut bytes).unwrap();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}
