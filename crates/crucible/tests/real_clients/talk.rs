//! A conversation with the driver of the Python client: a request and its answer, line by line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use crate::it::harness::{DEADLINE, eventually};

/// Answers that wait to be looked at; there is one for each request.
const LINES_MAX: usize = 16;

/// A client that waits to be told what to do; killed when dropped.
pub(crate) struct Talk {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    log: Option<JoinHandle<String>>,
}

impl Talk {
    /// Starts the driver, with `python`, in the environment of `like`.
    pub(crate) fn begin(python: &str, like: &Command, mode: &str, server: &Value) -> Self {
        let script = crate::manifest_dir().join("tests/real_clients/client.py");
        let mut command = Command::new(python);
        command.arg(script).arg(mode).arg(server.to_string());
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let log = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _read = stderr.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            child,
            stdin,
            lines,
            log: Some(log),
        }
    }

    /// Lets the client do something and returns what comes of it.
    pub(crate) fn ask(&mut self, request: &Value) -> Result<Value, Failed> {
        let sent = self.stdin.as_mut().unwrap();
        let sent = writeln!(sent, "{request}").and_then(|()| sent.flush());
        let line = self.lines.recv_timeout(DEADLINE * 2);
        match (sent, line) {
            (Ok(()), Ok(line)) => Ok(serde_json::from_str(&line)?),
            (sent, line) => {
                let log = self.kill();
                Err(format!("no answer to {request}: {sent:?}, {line:?}\n{log}").into())
            }
        }
    }

    /// Calls a tool.
    pub(crate) fn call(&mut self, name: &str, arguments: &Value) -> Result<Value, Failed> {
        self.ask(&json!({ "do": "call", "name": name, "arguments": arguments }))
    }

    /// Calls a tool that must succeed; returns its structured answer.
    pub(crate) fn done(&mut self, name: &str, arguments: &Value) -> Result<Value, Failed> {
        let result = self.call(name, arguments)?;
        let answer = &result["structuredContent"];
        if result["isError"] == true || !answer.is_object() {
            return Err(format!("{name} failed: {result:#}").into());
        }
        Ok(answer.clone())
    }

    /// Calls a tool that must refuse; returns its words, be they an answer or an error.
    pub(crate) fn refused(&mut self, name: &str, arguments: &Value) -> Result<String, Failed> {
        let result = self.call(name, arguments)?;
        if result["isError"] == true {
            return Ok(result["content"].to_string());
        }
        match result["failed"].as_str() {
            Some(words) => Ok(words.to_owned()),
            None => Err(format!("{name} was not refused: {result:#}").into()),
        }
    }

    /// Ends the input and waits until the client, and with it the server that it began, is gone.
    pub(crate) fn end(mut self) -> Result<(), Failed> {
        drop(self.stdin.take());
        let status = eventually("the client to end", || self.child.try_wait().unwrap());
        let log = self.kill();
        if status.success() {
            return Ok(());
        }
        Err(format!("the client ended with {status}\n{log}").into())
    }

    /// Returns what the client has logged; it has ended after this.
    fn kill(&mut self) -> String {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        let log = self.log.take().and_then(|log| log.join().ok());
        log.unwrap_or_default()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.kill();
    }
}
