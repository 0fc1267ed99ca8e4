//! Which protocol a connection speaks: HTTP/2 with prior knowledge (RFC 9113, section 3.3), or
//! HTTP/1.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a connection begins.
pub(super) struct Opening {
    /// Whether it speaks HTTP/2.
    pub(super) is_http2: bool,
    /// What was read to know it.
    pub(super) read: Vec<u8>,
}

/// Reads as far as it takes to know the protocol, and no further than the preface.
pub(super) async fn read_opening(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Opening> {
    let mut read = Vec::with_capacity(PREFACE.len());
    loop {
        let missing = PREFACE.len() - read.len();
        let more = stream.take(missing as u64).read_buf(&mut read).await?;
        let is_http2 = read == PREFACE;
        if is_http2 || more == 0 || !PREFACE.starts_with(&read) {
            return Ok(Opening { is_http2, read });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Sends the parts one by one, and returns what was made of them.
    async fn opening(parts: &[&[u8]]) -> Opening {
        // One byte fits, so that every read is short.
        let (mut client, mut server) = tokio::io::duplex(1);
        let send = async {
            for part in parts {
                client.write_all(part).await.unwrap();
            }
            drop(client);
        };
        let reading = async {
            let opening = read_opening(&mut server).await.unwrap();
            drop(server);
            opening
        };
        let send = async {
            // The reader goes as soon as it knows; the rest is not taken.
            let _rest =
                futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(send)).await;
        };
        tokio::join!(reading, send).0
    }

    #[tokio::test]
    async fn preface_is_told_from_requests_that_begin_like_it() {
        let http2 = opening(&[PREFACE]).await;
        assert!(http2.is_http2 && http2.read == PREFACE);
        for request in [
            &b"GET / HTTP/1.1"[..],
            b"PUT /",
            b"PRI * HTTP/1.1",
            b"PR",
            b"",
        ] {
            let http1 = opening(&[request]).await;
            assert!(!http1.is_http2);
            assert!(request.starts_with(&http1.read), "{:?}", http1.read);
        }
    }
}
