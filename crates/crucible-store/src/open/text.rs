//! Opens the text index, or a new one in its place.

use std::sync::Arc;

use super::OpenError;
use super::aside::move_aside;
use crate::config::StoreConfig;
use crate::text::{Error, Mode, Settings, TextIndex};

/// A text index and the outbox position of its last commit.
#[derive(Debug)]
pub(crate) struct TextOpened {
    pub(crate) index: Arc<TextIndex>,
    pub(crate) cursor: i64,
}

/// Opens the text index for facts whose outbox has reached `seq`.
pub(super) fn open(
    config: &StoreConfig,
    seq: i64,
    findings: &mut Vec<String>,
) -> Result<TextOpened, OpenError> {
    let is_there = config.text_dir().exists();
    let opened = match try_open(config, Mode::ReadWrite) {
        Ok(opened) if opened.cursor > seq => {
            // A power cut can cost the facts their last transactions.
            Err("it is ahead of the facts".to_owned())
        }
        Ok(opened) => Ok(opened),
        Err(Error::Damaged { reason }) => Err(reason),
        Err(error) => return Err(failed(config, &error)),
    };
    let reason = match opened {
        Ok(opened) if !is_there && seq > 0 => {
            findings.push(
                "The text index was missing; it is being built anew from the notes.".to_owned(),
            );
            return Ok(opened);
        }
        Ok(opened) => return Ok(opened),
        Err(reason) => reason,
    };
    let opened = rebuild_text(config).map_err(|error| failed(config, &error))?;
    findings.push(format!(
        "The text index could not be used ({reason}); it was moved aside and is being built anew \
         from the notes."
    ));
    Ok(opened)
}

/// Opens the text index for searching only.
pub(crate) fn open_read_only(config: &StoreConfig) -> Result<Arc<TextIndex>, OpenError> {
    match try_open(config, Mode::ReadOnly) {
        Ok(opened) => Ok(opened.index),
        Err(error) => Err(failed(config, &error)),
    }
}

/// Opens for searching what this process has just written; there is no need to check it.
pub(crate) fn open_own(config: &StoreConfig) -> Result<Arc<TextIndex>, Error> {
    let settings = Settings {
        verify_bytes_max: 0,
        ..Settings::default()
    };
    let (index, _cursor) = TextIndex::open(&config.text_dir(), Mode::ReadOnly, settings)?;
    Ok(Arc::new(index))
}

/// Moves the text index aside and opens a new one.
pub(crate) fn rebuild_text(config: &StoreConfig) -> Result<TextOpened, Error> {
    let dir = config.text_dir();
    let aside = move_aside(&dir).map_err(|error| Error::Refused {
        reason: format!("{} cannot be moved aside: {error}", dir.display()),
    })?;
    if let Some(aside) = aside {
        tracing::warn!(path = %aside.display(), "the text index was moved aside");
    }
    try_open(config, Mode::ReadWrite)
}

fn try_open(config: &StoreConfig, mode: Mode) -> Result<TextOpened, Error> {
    let settings = Settings {
        memory_bytes: config.text_memory_bytes,
        ..Settings::default()
    };
    let (index, cursor) = TextIndex::open(&config.text_dir(), mode, settings)?;
    Ok(TextOpened {
        index: Arc::new(index),
        cursor: cursor.cast_signed(),
    })
}

fn failed(config: &StoreConfig, error: &Error) -> OpenError {
    let index_dir = config.index_dir.clone();
    match error {
        Error::Absent => OpenError::Absent { index_dir },
        Error::Busy => OpenError::InUse { index_dir },
        Error::Damaged { reason } => OpenError::Damaged {
            index_dir,
            reason: reason.clone(),
        },
        other => OpenError::Failed(other.to_string()),
    }
}
