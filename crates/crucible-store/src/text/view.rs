//! One commit, ready to be searched: what every search would have to open is opened once.

use std::sync::{Arc, OnceLock};

use tantivy::columnar::Column;
use tantivy::index::InvertedIndexReader;
use tantivy::schema::document::{DeserializeError, DocumentDeserialize, DocumentDeserializer};
use tantivy::schema::{Field, OwnedValue};
use tantivy::{DocAddress, Searcher, SegmentOrdinal};

use super::Error;
use super::keys::{KeyCache, SegmentKeys};
use super::schema::{Fields, NOTE};

/// The index as of one commit.
pub(super) struct View {
    pub(super) searcher: Searcher,
    pub(super) fields: Fields,
    /// Per segment, the notes of its documents.
    notes: Vec<Column<i64>>,
    /// Per segment, the words of titles and of bodies.
    words: Vec<[Arc<InvertedIndexReader>; 2]>,
    /// Per segment, the keys of its blocks, once somebody has asked for them.
    keys: OnceLock<Vec<Arc<SegmentKeys>>>,
}

impl View {
    pub(super) fn of(searcher: Searcher, fields: Fields) -> Result<Self, Error> {
        let mut notes = Vec::new();
        let mut words = Vec::new();
        for segment in searcher.segment_readers() {
            notes.push(segment.fast_fields().i64(NOTE)?);
            let title = segment.inverted_index(fields.title)?;
            words.push([title, segment.inverted_index(fields.body)?]);
        }
        Ok(Self {
            searcher,
            fields,
            notes,
            words,
            keys: OnceLock::new(),
        })
    }

    /// The ordinals of the segments.
    pub(super) fn segments(&self) -> std::ops::Range<SegmentOrdinal> {
        0..SegmentOrdinal::try_from(self.notes.len()).unwrap_or(SegmentOrdinal::MAX)
    }

    /// The words of titles or of bodies in a segment.
    pub(super) fn words(&self, segment: SegmentOrdinal, field: Field) -> &InvertedIndexReader {
        let [title, body] = &self.words[segment as usize];
        if field == self.fields.title {
            title
        } else {
            body
        }
    }

    /// The note of a document.
    pub(super) fn note(&self, address: DocAddress) -> Option<i64> {
        self.notes
            .get(address.segment_ord as usize)?
            .first(address.doc_id)
    }

    /// Per segment, the keys of its blocks.
    pub(super) fn keys(&self, cache: &KeyCache) -> Result<&[Arc<SegmentKeys>], Error> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let keys = cache.of(self.searcher.segment_readers())?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// Whether a document has not been deleted.
    pub(super) fn is_alive(&self, address: DocAddress) -> bool {
        self.searcher
            .segment_reader(address.segment_ord)
            .alive_bitset()
            .is_none_or(|alive| alive.is_alive(address.doc_id))
    }

    /// What is stored of a block.
    pub(super) fn record(&self, address: DocAddress) -> Result<String, Error> {
        let stored: Stored = self.searcher.doc(address)?;
        stored.0.ok_or_else(unreadable)
    }
}

/// A stored document of which only the text is wanted.
struct Stored(Option<String>);

impl DocumentDeserialize for Stored {
    fn deserialize<'de, D: DocumentDeserializer<'de>>(
        mut stored: D,
    ) -> Result<Self, DeserializeError> {
        let mut text = None;
        while let Some((_, value)) = stored.next_field::<OwnedValue>()? {
            if let OwnedValue::Str(record) = value {
                text = Some(record);
            }
        }
        Ok(Self(text))
    }
}

pub(super) fn unreadable() -> Error {
    Error::damaged("a stored block cannot be read")
}
