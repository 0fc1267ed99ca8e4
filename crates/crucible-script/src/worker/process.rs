//! A worker's process: starting it, its pipes, ending it, and why it ended.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{WorkerCommand, spawner};
use crate::protocol::{FrameError, FromWorker, ToWorker, decode, encode, frame_length};

/// How much of what a worker says on its way out is kept, in bytes.
const LAST_WORDS_BYTES_MAX: usize = 4096;
/// How much more than one frame is read ahead, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// How long a killed worker may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// Why nothing more comes from a worker, or nothing more is wanted.
#[derive(Debug)]
pub(super) enum Broken {
    /// Its end of a pipe is closed.
    Ended,
    /// It sent what the protocol does not know.
    Garbage(String),
}

impl From<FrameError> for Broken {
    fn from(error: FrameError) -> Self {
        Self::Garbage(error.to_string())
    }
}

/// A worker's process with its pipes.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: u32,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    input: BytesMut,
    last_words: BytesMut,
    /// True while a frame is on its way: when a write was given up half way, the pipe is spoilt.
    writing: bool,
}

impl Process {
    /// Starts a process without environment, in a process group of its own.
    pub(super) async fn start(command: &WorkerCommand) -> std::io::Result<Self> {
        let command = command.clone();
        let runtime = Handle::current();
        let mut child = spawner::run(move || {
            let _inside = runtime.enter();
            prepare(&command).spawn()
        })
        .await?;
        let missing = || std::io::Error::other("a pipe to the worker is missing");
        Ok(Self {
            pid: child.id().ok_or_else(missing)?,
            stdin: Some(child.stdin.take().ok_or_else(missing)?),
            stdout: child.stdout.take().ok_or_else(missing)?,
            stderr: Some(child.stderr.take().ok_or_else(missing)?),
            child,
            input: BytesMut::new(),
            last_words: BytesMut::new(),
            writing: false,
        })
    }

    /// Returns the process's number.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns whether a frame was left half written.
    pub(super) const fn is_spoilt(&self) -> bool {
        self.writing
    }

    /// Returns whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a frame that [`encode`] made.
    ///
    /// # Cancel safety
    /// A frame that was given up half way spoils the pipe: see [`Process::is_spoilt`].
    pub(super) async fn send(&mut self, frame: &[u8]) -> Result<(), Broken> {
        let stdin = self.stdin.as_mut().ok_or(Broken::Ended)?;
        self.writing = true;
        let sent = stdin.write_all(frame).await;
        self.writing = false;
        sent.map_err(|_| Broken::Ended)
    }

    /// Sends a short message.
    pub(super) async fn say(&mut self, message: &ToWorker) -> Result<(), Broken> {
        self.send(&encode(message)?).await
    }

    /// Returns the next message and the length of its frame's body in bytes.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<(FromWorker, usize), Broken> {
        loop {
            if let Some(found) = self.take_frame()? {
                return Ok(found);
            }
            self.input.reserve(READ_BYTES);
            let Some(stderr) = &mut self.stderr else {
                let read = self.stdout.read_buf(&mut self.input).await;
                ended(&read)?;
                continue;
            };
            tokio::select! {
                read = self.stdout.read_buf(&mut self.input) => ended(&read)?,
                read = stderr.read_buf(&mut self.last_words) => {
                    if matches!(read, Ok(0) | Err(_)) {
                        self.stderr = None;
                    }
                    let surplus = self.last_words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
                    self.last_words.advance(surplus);
                }
            }
        }
    }

    fn take_frame(&mut self) -> Result<Option<(FromWorker, usize)>, Broken> {
        let Some(header) = self.input.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = frame_length(*header)?;
        if self.input.len() < 4 + length {
            self.input.reserve(4 + length - self.input.len());
            return Ok(None);
        }
        self.input.advance(4);
        let body = self.input.split_to(length);
        Ok(Some((decode(&body)?, length)))
    }

    /// Kills the process with all that it started; does not wait.
    pub(super) fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.child.id().and_then(|pid| i32::try_from(pid).ok())
            && let Some(group) = rustix::process::Pid::from_raw(group)
        {
            // The child is not waited for yet, so its number cannot have gone to another process.
            let killed = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            if let Err(error) = killed {
                tracing::debug!(worker.pid = self.pid, %error, "a worker was gone already");
            }
        }
        drop(self.child.start_kill());
    }

    /// Kills the process, waits until it is gone, and says how it had ended before.
    pub(super) async fn end(&mut self) -> Ending {
        // What ended by itself says so within this time; what did not is killed.
        let status = match timeout(Duration::from_millis(50), self.child.wait()).await {
            Ok(Ok(status)) => Some(status),
            _ => {
                self.kill();
                drop(timeout(KILL_LIMIT, self.child.wait()).await);
                None
            }
        };
        self.hear_last_words().await;
        let words = String::from_utf8_lossy(&self.last_words).into_owned();
        Ending { status, words }
    }

    async fn hear_last_words(&mut self) {
        let Some(mut stderr) = self.stderr.take() else {
            return;
        };
        let rest = async {
            while self.last_words.len() < LAST_WORDS_BYTES_MAX
                && matches!(stderr.read_buf(&mut self.last_words).await, Ok(1..))
            {}
        };
        drop(timeout(Duration::from_millis(50), rest).await);
    }

    /// Asks the process to end by closing its input, and kills it when `patience` is over.
    pub(super) async fn shutdown(&mut self, patience: Duration) {
        self.stdin = None;
        if timeout(patience, self.child.wait()).await.is_err() {
            self.kill();
            drop(timeout(KILL_LIMIT, self.child.wait()).await);
        }
    }
}

fn ended(read: &std::io::Result<usize>) -> Result<(), Broken> {
    match read {
        Ok(0) | Err(_) => Err(Broken::Ended),
        Ok(_) => Ok(()),
    }
}

fn prepare(command: &WorkerCommand) -> Command {
    let mut prepared = Command::new(&command.program);
    prepared
        .args(&command.args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    prepared.process_group(0);
    prepared
}

/// How a worker ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// Its status; `None` when it was killed from here.
    status: Option<ExitStatus>,
    /// The last that it said on standard error.
    words: String,
}

impl Ending {
    /// Returns whether it ended because the operating system gave it no more memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        self.words.contains("memory allocation of")
    }

    /// Returns whether it ended because its stack was full.
    pub(super) fn is_stack_overflow(&self) -> bool {
        self.words.contains("has overflowed its stack")
    }

    /// Says how it ended.
    pub(super) fn describe(&self) -> String {
        let how = match self.status {
            None => "was ended by the daemon".to_owned(),
            Some(status) => describe_status(status),
        };
        match self.words.lines().rfind(|line| !line.trim().is_empty()) {
            Some(words) => format!("{how}, saying {:?}", words.trim()),
            None => how,
        }
    }
}

fn describe_status(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => "SIGILL",
            6 => "SIGABRT",
            7 => "SIGBUS",
            9 => "SIGKILL: killed from outside, or by the kernel for want of memory",
            11 => "SIGSEGV",
            15 => "SIGTERM",
            31 => "SIGSYS",
            _ => "",
        };
        return format!("was ended by signal {signal} ({name})");
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended".to_owned(),
    }
}
