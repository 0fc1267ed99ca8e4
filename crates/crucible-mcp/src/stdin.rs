//! Standard input that can be left alone.
//!
//! A read that waits for standard input cannot be taken back, and tokio's own handle makes the
//! end of the runtime wait for it: a program that is asked to stop while its client is silent
//! would hang. Here a thread of its own reads; nobody waits for it, and it ends with the input or
//! with the process.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// How much is read at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// How many pieces may wait to be taken; the thread reads no further meanwhile.
const PIECES_MAX: usize = 2;

/// The end at which standard input comes out.
#[derive(Debug)]
pub(crate) struct Stdin {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Stdin {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub(crate) fn open() -> io::Result<Self> {
        Self::from_reader(io::stdin())
    }

    fn from_reader(mut input: impl io::Read + Send + 'static) -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        std::thread::Builder::new()
            .name("mcp-stdin".to_owned())
            .spawn(move || {
                let mut piece = vec![0; PIECE_BYTES];
                loop {
                    let read = match input.read(&mut piece) {
                        Ok(0) => break,
                        Ok(count) => Ok(Bytes::copy_from_slice(&piece[..count])),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(error) => Err(error),
                    };
                    let is_last = read.is_err();
                    if sender.blocking_send(read).is_err() || is_last {
                        break;
                    }
                }
            })?;
        Ok(Self {
            pieces,
            rest: Bytes::new(),
        })
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.pieces.poll_recv(context)) {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn all_of_the_input_comes_out_in_order() {
        let whole: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut stdin = Stdin::from_reader(io::Cursor::new(whole.clone())).unwrap();
        let mut read = Vec::new();
        stdin.read_to_end(&mut read).await.unwrap();
        assert!(read == whole);
    }

    #[tokio::test]
    async fn silent_input_keeps_nobody_waiting() {
        let (silent, _kept) = std::io::pipe().unwrap();
        let mut stdin = Stdin::from_reader(silent).unwrap();
        let mut byte = [0];
        let read = tokio::time::timeout(std::time::Duration::from_millis(1), stdin.read(&mut byte));
        assert!(read.await.is_err());
    }
}
