//! Opens the two parts of an index, checks them, and replaces what is damaged.
//!
//! Everything is derived from the notes, so nothing is repaired: a damaged part is moved aside
//! (`facts.db.damaged-1`) and built anew. New facts need a new text index as well, since its notes
//! are numbered by them; the vault's comparison then hands over every file. A new text index
//! under sound facts is fed from the notes' files.

mod aside;
pub(crate) mod facts;
pub(crate) mod seal;
pub(crate) mod text;

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use crate::config::StoreConfig;
use text::TextOpened;

/// How often, and how far apart, the lock is asked for. A process that is just ending, or was
/// just started by one that holds it, has it for a moment.
const LOCK_TRIES: u32 = 20;
const LOCK_WAIT: Duration = Duration::from_millis(25);

/// Why a store cannot be opened. Messages read after "failed to open the index: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another store writes this index.
    #[error(
        "another crucible is using the index in {}; use that one, or stop it first",
        index_dir.display()
    )]
    InUse {
        /// The folder of the index.
        index_dir: PathBuf,
    },
    /// There is nothing to read.
    #[error(
        "there is no index in {}; build it by serving the vault (crucible serve)",
        index_dir.display()
    )]
    Absent {
        /// The folder of the index.
        index_dir: PathBuf,
    },
    /// It is damaged, or of another version, and this store may not replace it.
    #[error(
        "the index in {} cannot be read ({reason}); it is built anew when the vault is served",
        index_dir.display()
    )]
    Damaged {
        /// The folder of the index.
        index_dir: PathBuf,
        /// What was found, in words.
        reason: String,
    },
    /// The operating system refused.
    #[error("{} cannot be used; check its permissions and the free space", path.display())]
    Refused {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else, in words.
    #[error("{0}")]
    Failed(String),
}

/// What opening for writing gives.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Held as long as the store is open.
    pub(crate) lock: File,
    pub(crate) facts: Connection,
    /// How much of the facts has been looked at.
    pub(crate) checked: facts::Checked,
    pub(crate) text: TextOpened,
    /// What was found damaged, in sentences.
    pub(crate) findings: Vec<String>,
}

/// Opens an index for writing, creating or replacing what is missing or damaged. Blocks.
pub(crate) fn open_for_writing(config: &StoreConfig) -> Result<Opened, OpenError> {
    create_dir(config)?;
    let lock = lock(config)?;
    let mut findings = Vec::new();
    let (facts, checked) = facts::open(config, &mut findings)?;
    let seq = crate::facts::Mark::Seq
        .read(&facts)
        .map_err(|error| OpenError::Failed(format!("the facts cannot be read ({error})")))?;
    let text = text::open(config, seq, &mut findings)?;
    Ok(Opened {
        lock,
        facts,
        checked,
        text,
        findings,
    })
}

fn create_dir(config: &StoreConfig) -> Result<(), OpenError> {
    std::fs::create_dir_all(&config.index_dir).map_err(|source| OpenError::Refused {
        path: config.index_dir.clone(),
        source,
    })
}

/// Takes the lock that keeps other processes, and other stores of this one, from writing.
fn lock(config: &StoreConfig) -> Result<File, OpenError> {
    let path = config.lock_path();
    let refused = |source| OpenError::Refused {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(refused)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_WAIT),
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
    }
    Err(OpenError::InUse {
        index_dir: config.index_dir.clone(),
    })
}
