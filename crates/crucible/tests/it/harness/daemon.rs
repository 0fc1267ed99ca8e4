//! One running `crucible serve`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::place::hit_paths;
use super::{DEADLINE, EventStream, eventually, http};

/// Lines that wait to be looked at; a daemon writes a screenful.
const LINES_MAX: usize = 1000;

/// A running `crucible serve`; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    /// The lines of standard output that were looked at.
    pub(crate) shown: Vec<String>,
    log: Arc<Mutex<String>>,
    api: Option<SocketAddr>,
    data: PathBuf,
}

impl Daemon {
    pub(super) fn spawn(mut command: Command, data: PathBuf) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self {
            child,
            lines,
            shown: Vec::new(),
            log,
            api: None,
            data,
        }
    }

    /// The token that the daemon has left for programs of the same person; `None` when it asks for
    /// none.
    fn token(&self) -> Option<String> {
        let vaults = std::fs::read_dir(self.data.join("vaults")).ok()?;
        vaults
            .filter_map(|home| std::fs::read_to_string(home.ok()?.path().join("token")).ok())
            .next()
    }

    /// Waits for a line of standard output that contains `part`.
    #[track_caller]
    pub(crate) fn wait_line(&mut self, part: &str) -> String {
        let begun = tokio::time::Instant::now();
        loop {
            let rest = DEADLINE.saturating_sub(begun.elapsed());
            match self.lines.recv_timeout(rest) {
                Ok(line) => {
                    self.shown.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => panic!(
                    "no line with {part:?}; output:\n{}\nlog:\n{}",
                    self.shown.join("\n"),
                    self.log()
                ),
            }
        }
    }

    /// Waits until the daemon says that its index is up to date.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self) {
        self.wait_line("ready in");
    }

    /// Where the API listens; waits until it is said.
    #[track_caller]
    pub(crate) fn api(&mut self) -> SocketAddr {
        if let Some(api) = self.api {
            return api;
        }
        let said = |line: &str| {
            let (_, rest) = line.split_once("API")?;
            let address = rest.trim().strip_prefix("http://")?;
            address.split('/').next()?.parse().ok()
        };
        let api = match self.shown.iter().find_map(|line| said(line)) {
            Some(api) => api,
            None => said(&self.wait_line("API")).unwrap(),
        };
        if let Some(token) = self.token() {
            http::carry(api, token);
        }
        self.api = Some(api);
        api
    }

    /// Asks the REST interface, which must answer with JSON.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Value {
        http::get(self.api(), path).succeeds().json()
    }

    /// The paths that a REST search finds.
    #[track_caller]
    pub(crate) fn search(&mut self, words: &str) -> Vec<String> {
        let query = http::encode(words);
        hit_paths(&self.get(&format!("/api/v1/search?q={query}&limit=100")))
    }

    /// Waits until a REST search finds exactly these notes, in any order.
    #[track_caller]
    pub(crate) fn wait_found(&mut self, words: &str, paths: &[&str]) {
        let mut expected: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        expected.sort();
        eventually(&format!("{words:?} in {paths:?}"), || {
            let mut found = self.search(words);
            found.sort();
            (found == expected).then_some(())
        });
    }

    /// The faults, as pairs of path and kind.
    #[track_caller]
    pub(crate) fn problems(&mut self) -> Vec<(String, String)> {
        let answer = self.get("/api/v1/problems?limit=1000");
        let list = answer.as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        list.map(|problem| (text(&problem["path"]), text(&problem["kind"])))
            .collect()
    }

    /// Opens the event stream; what happens from now on is seen.
    #[track_caller]
    pub(crate) fn events(&mut self) -> EventStream {
        EventStream::open(self.api(), "/api/v1/events", None)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What was logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the daemon to end", || self.child.try_wait().unwrap())
    }

    /// Says whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the daemon as its user would.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "log:\n{}", self.log());
    }

    /// Ends the daemon as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
