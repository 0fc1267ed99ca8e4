//! Opens the text index, or a new one in its place.

use std::sync::Arc;

use super::OpenError;
use super::aside::{is_blank, move_aside, remove};
use crate::config::StoreConfig;
use crate::text::{Error, Mode, Settings, TextIndex, is_full};

/// The file that is written to find out whether there is room.
const PROBE: &str = ".room";
/// How large it is: more than the smallest files of a commit.
const PROBE_BYTES: usize = 1 << 20;

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

/// Says whether the last commit can be read; [`Error::Damaged`] or [`Error::Absent`] if not.
pub(crate) fn check(config: &StoreConfig) -> Result<(), Error> {
    let (_index, _cursor) =
        TextIndex::open(&config.text_dir(), Mode::ReadOnly, Settings::default())?;
    Ok(())
}

/// Says whether the disk of the text index has room for more than a trifle.
pub(crate) fn has_room(config: &StoreConfig) -> bool {
    let dir = config.text_dir();
    let dir = if dir.is_dir() {
        &dir
    } else {
        &config.index_dir
    };
    let probe = dir.join(PROBE);
    let written = std::fs::write(&probe, vec![1; PROBE_BYTES]);
    let _removed = remove(&probe);
    !written.is_err_and(|error| is_full(&error))
}

/// Moves the text index aside and opens a new one.
pub(crate) fn rebuild_text(config: &StoreConfig) -> Result<TextOpened, Error> {
    let dir = config.text_dir();
    // What a creation left behind that failed is worth nothing to anybody.
    let aside = match is_blank(&dir) {
        Ok(true) => remove(&dir).map(|()| None),
        Ok(false) => move_aside(&dir),
        Err(error) => Err(error),
    };
    let aside = aside.map_err(|error| Error::Refused {
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
