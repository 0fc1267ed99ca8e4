//! Which block has which passage: the keys of a segment's blocks, in the order of the keys.
//!
//! A segment never changes, so its keys are read once and kept as long as it is in use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::index::SegmentId;
use tantivy::{DocId, SegmentReader};

use super::Error;
use super::schema::PASSAGE;

/// The blocks of one segment by their keys; deleted ones are there too.
#[derive(Debug, Default)]
pub(super) struct SegmentKeys {
    /// Ascending.
    keys: Vec<(u64, DocId)>,
}

impl SegmentKeys {
    fn read(segment: &SegmentReader) -> Result<Self, Error> {
        let column = segment.fast_fields().u64(PASSAGE)?;
        let key = |doc| column.first(doc).map(|key| (key, doc));
        let mut keys: Vec<_> = (0..segment.max_doc()).filter_map(key).collect();
        keys.sort_unstable();
        Ok(Self { keys })
    }

    /// All keys with their blocks.
    pub(super) fn all(&self) -> &[(u64, DocId)] {
        &self.keys
    }

    /// The blocks of a key.
    pub(super) fn blocks(&self, key: u64) -> impl Iterator<Item = DocId> {
        let start = self.keys.partition_point(|&(other, _)| other < key);
        let same = self.keys[start..].iter();
        same.take_while(move |&&(other, _)| other == key)
            .map(|&(_, doc)| doc)
    }
}

/// The keys of the segments that are in use.
#[derive(Debug, Default)]
pub(super) struct KeyCache {
    segments: Mutex<HashMap<SegmentId, Arc<SegmentKeys>>>,
}

impl KeyCache {
    /// The keys of some segments; what is kept of others goes.
    pub(super) fn of(&self, segments: &[SegmentReader]) -> Result<Vec<Arc<SegmentKeys>>, Error> {
        let mut kept = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = HashMap::with_capacity(segments.len());
        let mut all = Vec::with_capacity(segments.len());
        for segment in segments {
            let id = segment.segment_id();
            let keys = match kept.get(&id) {
                Some(keys) => Arc::clone(keys),
                None => Arc::new(SegmentKeys::read(segment)?),
            };
            now.insert(id, Arc::clone(&keys));
            all.push(keys);
        }
        *kept = now;
        Ok(all)
    }
}
