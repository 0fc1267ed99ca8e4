//! From `stat` to a stamp.

use std::fs::Metadata;

use crucible_services::note_index::FileStamp;

/// A stamp that no file has, for what must be looked at again every time.
pub(crate) const NEVER: FileStamp = FileStamp {
    size: 0,
    modified_ns: i64::MIN,
    inode: 0,
};

/// Returns the stamp of what `metadata` describes.
#[cfg(unix)]
pub(crate) fn stamp_of(metadata: &Metadata) -> FileStamp {
    use std::os::unix::fs::MetadataExt as _;
    FileStamp {
        size: metadata.size(),
        modified_ns: metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec()),
        inode: metadata.ino(),
    }
}

/// Returns the stamp of what `metadata` describes.
#[cfg(not(unix))]
pub(crate) fn stamp_of(metadata: &Metadata) -> FileStamp {
    let modified_ns = metadata
        .modified()
        .ok()
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0);
    FileStamp {
        size: metadata.len(),
        modified_ns,
        inode: 0,
    }
}
