//! The worker's end of the pipe: whole frames in, whole frames out.

use std::fs::File;
use std::io::{self, Read, Write};

use crucible_script::protocol::{FrameError, FromWorker, ToWorker, decode, encode, frame_length};

const READ_BYTES: usize = 64 * 1024;

/// Why nothing more can be said or heard.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipeError {
    /// The daemon has closed the pipe, or is gone.
    #[error("the daemon has closed the pipe")]
    Closed,
    /// The daemon sent what the protocol does not know.
    #[error("the daemon sent garbage: {0}")]
    Garbage(#[from] FrameError),
    /// The operating system refused.
    #[error("the pipe failed: {0}")]
    Io(#[from] io::Error),
}

/// Reads frames from the daemon and writes frames to it.
#[derive(Debug)]
pub(crate) struct Pipe {
    input: File,
    output: File,
    buffer: Vec<u8>,
    /// Where what is not yet taken begins in `buffer`.
    start: usize,
}

impl Pipe {
    /// Takes the two ends.
    pub(crate) const fn new(input: File, output: File) -> Self {
        Self {
            input,
            output,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Sends a message; waits while the daemon is busy.
    pub(crate) fn send(&mut self, message: &FromWorker) -> Result<(), PipeError> {
        let frame = encode(message)?;
        self.output.write_all(&frame)?;
        Ok(())
    }

    /// Waits for the next message.
    pub(crate) fn receive(&mut self) -> Result<ToWorker, PipeError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            let kept = self.buffer.len();
            self.buffer.resize(kept + READ_BYTES, 0);
            let read = self.input.read(&mut self.buffer[kept..]);
            self.buffer.truncate(kept + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(PipeError::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns whether a message, or the end of the pipe, waits to be received.
    pub(crate) fn is_ready(&self) -> bool {
        self.start < self.buffer.len() || has_input(&self.input)
    }

    fn take(&mut self) -> Result<Option<ToWorker>, PipeError> {
        let waiting = &self.buffer[self.start..];
        let Some((header, rest)) = waiting.split_first_chunk::<4>() else {
            self.compact();
            return Ok(None);
        };
        let length = frame_length(*header)?;
        let Some(body) = rest.get(..length) else {
            self.compact();
            return Ok(None);
        };
        let message = decode(body)?;
        self.start += 4 + length;
        if self.start == self.buffer.len() {
            self.compact();
        }
        Ok(Some(message))
    }

    /// Moves what is not yet taken to the front.
    fn compact(&mut self) {
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.is_empty() {
            self.buffer.shrink_to(READ_BYTES);
        }
    }
}

#[cfg(unix)]
fn has_input(input: &File) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut ends = [PollFd::new(input, PollFlags::IN)];
    matches!(poll(&mut ends, Some(&at_once)), Ok(1..))
}

#[cfg(not(unix))]
const fn has_input(_: &File) -> bool {
    false
}
