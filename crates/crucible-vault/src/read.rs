//! Reads one note whole, while others may be writing it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use crucible_services::clock;
use crucible_services::data_store::Problem;
use crucible_services::note_index::FileStamp;

use crate::folder::VaultFolder;
use crate::found::{is_absent, link, not_regular, too_large, unreadable};
use crate::open::open_beneath;
use crate::stamp::{NEVER, stamp_of};

/// How often a file that changes while it is read is read anew before it is taken as it is.
const ATTEMPTS_MAX: usize = 3;

/// File systems stamp by the clock's tick (4 to 10 ms on Linux): a second write inside one tick
/// does not move the stamp. So a file is not read before its last write is this old.
const STAMP_AGE_MIN: Duration = Duration::from_millis(20);

/// What came of reading a note.
#[derive(Debug)]
pub(crate) enum ReadNote {
    /// The content.
    Whole {
        /// The bytes.
        content: Bytes,
        /// The stamp of the very file that was read, taken before the first byte.
        stamp: FileStamp,
        /// False when the file changed during every attempt: look at it again.
        steady: bool,
    },
    /// Nothing is there any more.
    Gone,
    /// It cannot be read.
    Fault {
        /// Why.
        problem: Problem,
        /// Its stamp, or [`NEVER`].
        stamp: FileStamp,
    },
}

/// Reads the note at `path`, which must be inside the vault; `after_bytes` runs between the last
/// byte and the second look at the stamp.
pub(crate) fn read_note(
    folder: &VaultFolder,
    path: &str,
    mut after_bytes: impl FnMut(),
) -> ReadNote {
    let mut last = ReadNote::Gone;
    for _ in 0..ATTEMPTS_MAX {
        last = match read_once(folder, path, &mut after_bytes) {
            Ok(outcome) => outcome,
            Err(error) if is_absent(&error) => ReadNote::Gone,
            Err(error) => fault_of(folder, path, &error),
        };
        if !matches!(last, ReadNote::Whole { steady: false, .. }) {
            break;
        }
    }
    last
}

fn read_once(
    folder: &VaultFolder,
    path: &str,
    after_bytes: &mut impl FnMut(),
) -> io::Result<ReadNote> {
    let mut file = open_beneath(folder.root(), Path::new(path))?;
    let Some(stamp) = rested_stamp(&file)? else {
        return Ok(ReadNote::Fault {
            problem: not_regular(path),
            stamp: NEVER,
        });
    };
    let limit = folder.note_bytes_max();
    if stamp.size > limit {
        return Ok(ReadNote::Fault {
            problem: too_large(path, stamp.size, limit),
            stamp,
        });
    }
    let expected = usize::try_from(stamp.size).unwrap_or(usize::MAX);
    let mut content = Vec::with_capacity(expected.saturating_add(1));
    let length = (&mut file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut content)?;
    if length as u64 > limit {
        return Ok(ReadNote::Fault {
            problem: too_large(path, length as u64, limit),
            stamp,
        });
    }
    after_bytes();
    let steady = stamp_of(&file.metadata()?) == stamp && length == expected;
    Ok(ReadNote::Whole {
        content: content.into(),
        stamp,
        steady,
    })
}

/// Returns the stamp once the last write is old enough to be told from a next one; `None` for
/// what is not a regular file.
fn rested_stamp(file: &File) -> io::Result<Option<FileStamp>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let stamp = stamp_of(&metadata);
    let age_ns = clock::now().as_nanosecond() - i128::from(stamp.modified_ns);
    let missing_ns = STAMP_AGE_MIN.as_nanos().cast_signed() - age_ns;
    if age_ns < 0 || missing_ns <= 0 {
        return Ok(Some(stamp));
    }
    std::thread::sleep(Duration::from_nanos(u64::try_from(missing_ns).unwrap_or(0)));
    Ok(Some(stamp_of(&file.metadata()?)))
}

fn fault_of(folder: &VaultFolder, path: &str, error: &io::Error) -> ReadNote {
    let metadata = std::fs::symlink_metadata(folder.root().join(path));
    match metadata {
        Ok(metadata) if metadata.is_symlink() => ReadNote::Fault {
            problem: link(folder, path),
            stamp: stamp_of(&metadata),
        },
        Err(absent) if is_absent(&absent) => ReadNote::Gone,
        _ => ReadNote::Fault {
            problem: unreadable(path, error),
            stamp: NEVER,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VaultConfig;
    use crucible_services::data_store::ProblemKind;

    fn vault() -> (tempfile::TempDir, VaultFolder) {
        let place = tempfile::tempdir().unwrap();
        let config = VaultConfig {
            note_bytes_max: 1000,
            ..VaultConfig::new(place.path())
        };
        let folder = VaultFolder::open(&config).unwrap();
        (place, folder)
    }

    #[test]
    fn note_changed_once_while_read_is_read_anew() {
        let (place, folder) = vault();
        let note = place.path().join("a.md");
        std::fs::write(&note, "one").unwrap();
        let mut first = true;
        let outcome = read_note(&folder, "a.md", || {
            if std::mem::take(&mut first) {
                std::fs::write(&note, "two longer").unwrap();
            }
        });
        let ReadNote::Whole {
            content,
            steady: true,
            stamp,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!(content, "two longer");
        assert_eq!(stamp, stamp_of(&note.metadata().unwrap()));
    }

    #[test]
    fn note_that_never_rests_is_handed_over_with_an_outdated_stamp() {
        let (place, folder) = vault();
        let note = place.path().join("a.md");
        std::fs::write(&note, "x").unwrap();
        let mut length = 1;
        let outcome = read_note(&folder, "a.md", || {
            length += 1;
            std::fs::write(&note, "x".repeat(length)).unwrap();
        });
        let ReadNote::Whole {
            stamp,
            steady: false,
            ..
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_ne!(stamp, stamp_of(&note.metadata().unwrap()));
    }

    #[test]
    fn note_replaced_while_read_keeps_the_stamp_of_what_was_read() {
        let (place, folder) = vault();
        let note = place.path().join("a.md");
        std::fs::write(&note, "old").unwrap();
        let outcome = read_note(&folder, "a.md", || {
            std::fs::write(place.path().join("new"), "new").unwrap();
            std::fs::rename(place.path().join("new"), &note).unwrap();
        });
        let ReadNote::Whole { content, stamp, .. } = outcome else {
            panic!("{outcome:?}");
        };
        // The replaced file's link count changed, not its stamp: old content with old inode.
        assert_eq!(content, "old");
        assert_ne!(stamp.inode, stamp_of(&note.metadata().unwrap()).inode);
    }

    #[test]
    fn note_deleted_before_or_while_read_is_gone_or_whole() {
        let (place, folder) = vault();
        assert!(matches!(read_note(&folder, "a.md", || ()), ReadNote::Gone));
        let note = place.path().join("a.md");
        std::fs::write(&note, "old").unwrap();
        let outcome = read_note(&folder, "a.md", || std::fs::remove_file(&note).unwrap());
        assert!(matches!(outcome, ReadNote::Whole { .. }), "{outcome:?}");
    }

    #[test]
    fn note_above_the_limit_is_too_large() {
        let (place, folder) = vault();
        std::fs::write(place.path().join("a.md"), vec![b'x'; 1001]).unwrap();
        std::fs::write(place.path().join("b.md"), vec![b'x'; 1000]).unwrap();
        let outcome = read_note(&folder, "a.md", || ());
        assert!(
            matches!(&outcome, ReadNote::Fault { problem, .. } if problem.kind == ProblemKind::TooLarge),
            "{outcome:?}"
        );
        assert!(matches!(
            read_note(&folder, "b.md", || ()),
            ReadNote::Whole { .. }
        ));
    }
}
