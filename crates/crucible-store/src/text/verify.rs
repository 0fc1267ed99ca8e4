//! Says whether an index that opens also answers.
//!
//! Silent damage, an index that finds nothing for ever, is the worst that can happen to a search. So every
//! file is compared with its checksum, as far as the budget reaches, and the canary must be found.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tantivy::directory::error::OpenReadError;
use tantivy::query::{EnableScoring, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{Index, IndexReader, Term};

use super::Error;
use super::schema::{CANARY_ID, CANARY_NAME, Fields, NOTE};

/// Asks for the canary.
pub(super) fn canary(fields: Fields, reader: &IndexReader) -> Result<(), Error> {
    let searcher = reader.searcher();
    let term = Term::from_field_text(fields.name, CANARY_NAME);
    let query = TermQuery::new(term, IndexRecordOption::Basic);
    let mut found = 0;
    for segment in searcher.segment_readers() {
        let notes = segment.fast_fields().i64(NOTE)?;
        let scoring = EnableScoring::disabled_from_searcher(&searcher);
        query
            .weight(scoring)?
            .for_each_no_score(segment, &mut |documents| {
                let is_canary = |document: &u32| notes.first(*document) == Some(CANARY_ID);
                found += documents
                    .iter()
                    .filter(|document| is_canary(document))
                    .count();
            })?;
    }
    if found == 1 {
        Ok(())
    } else {
        Err(Error::damaged("it does not find what is known to be in it"))
    }
}

/// Compares files up to `bytes_max` with their checksums, newest first.
///
/// To be called before anything else reads the index: a length that is garbage makes the library ask for
/// more memory than there is, which ends the process.
pub(super) fn checksums(dir: &Path, index: &Index, bytes_max: u64) -> Result<(), Error> {
    let directory = index.directory();
    let mut budget = bytes_max;
    for (path, bytes) in newest_first(dir, index)? {
        let Some(rest) = budget.checked_sub(bytes) else {
            break;
        };
        budget = rest;
        match directory.validate_checksum(&path) {
            Ok(true) | Err(OpenReadError::FileDoesNotExist(_)) => {}
            Ok(false) => {
                let reason = format!("{} has changed since it was written", path.display());
                return Err(Error::damaged(reason));
            }
            Err(error) => return Err(Error::from(tantivy::TantivyError::from(error))),
        }
    }
    Ok(())
}

/// The files of the last commit with their sizes; those that a segment does not have are left out.
fn newest_first(dir: &Path, index: &Index) -> Result<Vec<(PathBuf, u64)>, Error> {
    let mut files: Vec<(Option<SystemTime>, PathBuf, u64)> = Vec::new();
    for path in index.load_metas()?.list_segment_files() {
        if let Ok(meta) = std::fs::metadata(dir.join(&path)) {
            files.push((meta.modified().ok(), path, meta.len()));
        }
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    Ok(files
        .into_iter()
        .map(|(_, path, bytes)| (path, bytes))
        .collect())
}
