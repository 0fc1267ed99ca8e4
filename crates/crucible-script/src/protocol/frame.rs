//! Frames: where one message ends and the next begins.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest frame body in bytes, in both directions.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

const HEADER_BYTES: usize = 4;

/// Why a frame cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// It is longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {bytes} bytes is longer than the limit of {FRAME_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is not what the protocol speaks.
    #[error("a frame cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Returns a message as a frame, its length in front.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER_BYTES];
    serde_json::to_writer(&mut frame, message)?;
    let bytes = frame.len() - HEADER_BYTES;
    let too_long = FrameError::TooLong { bytes };
    if bytes > FRAME_BYTES_MAX {
        return Err(too_long);
    }
    let length = u32::try_from(bytes).map_err(|_| too_long)?;
    frame[..HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Returns the length of the body that follows a header.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn frame_length(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let bytes = u32::from_le_bytes(header) as usize;
    if bytes > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes });
    }
    Ok(bytes)
}

/// Reads a message from a frame's body.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{FromWorker, Level, ToWorker};

    #[test]
    fn a_message_survives_the_way() {
        let message = FromWorker::Log {
            call: 7,
            level: Level::Warn,
            message: "zwölf\n".to_owned(),
        };
        let frame = encode(&message).unwrap();
        let length = frame_length(frame[..4].try_into().unwrap()).unwrap();
        assert_eq!(length, frame.len() - 4);
        assert_eq!(decode::<FromWorker>(&frame[4..]).unwrap(), message);
    }

    #[test]
    fn too_long_frames_are_refused_on_both_ends() {
        let message = ToWorker::Unload {
            script: "x".repeat(FRAME_BYTES_MAX),
        };
        assert!(matches!(encode(&message), Err(FrameError::TooLong { .. })));
        assert!(frame_length(u32::MAX.to_le_bytes()).is_err());
    }

    #[test]
    fn nested_garbage_is_an_error_and_no_overflow() {
        let body = "[".repeat(FRAME_BYTES_MAX);
        assert!(matches!(
            decode::<FromWorker>(body.as_bytes()),
            Err(FrameError::Malformed(_))
        ));
    }
}
