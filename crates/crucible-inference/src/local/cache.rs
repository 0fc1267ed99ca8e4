//! Vectors of texts that were embedded not long ago.

use std::sync::Arc;

use lru::LruCache;

/// What one entry takes besides its vector: the key, the links of the list, a slot of the table.
const ENTRY_BYTES: usize = 160;

/// The hash of a text, and the version of the weights that read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    text: [u8; 32],
    revision: Arc<str>,
}

impl Key {
    /// Makes the key for the part of a text that the model reads.
    pub(crate) fn new(text: &str, revision: &Arc<str>) -> Self {
        Self {
            text: *blake3::hash(text.as_bytes()).as_bytes(),
            revision: Arc::clone(revision),
        }
    }
}

/// Vectors by text; the least recently used go first when they take too many bytes.
#[derive(Debug)]
pub(crate) struct Cache {
    vectors: LruCache<Key, Vec<f32>>,
    bytes: usize,
    bytes_max: usize,
}

impl Cache {
    /// Creates an empty cache of at most `bytes_max` bytes; with 0 it keeps nothing.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            vectors: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Returns the vector of a text, if it is known.
    pub(crate) fn get(&mut self, key: &Key) -> Option<Vec<f32>> {
        self.vectors.get(key).cloned()
    }

    /// Keeps the vector of a text.
    pub(crate) fn put(&mut self, key: Key, vector: Vec<f32>) {
        self.bytes += bytes(&vector);
        if let Some(old) = self.vectors.put(key, vector) {
            self.bytes -= bytes(&old);
        }
        self.shrink();
    }

    /// Changes the bound, and drops what no longer fits.
    pub(crate) fn resize(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.vectors.pop_lru() else {
                return;
            };
            self.bytes -= bytes(&oldest);
        }
    }
}

fn bytes(vector: &[f32]) -> usize {
    size_of_val(vector) + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_recently_used_vector_goes_first() {
        let revision = Arc::from("r");
        let key = |text| Key::new(text, &revision);
        let mut cache = Cache::new(2 * bytes(&[0.0; 4]));
        cache.put(key("a"), vec![1.0; 4]);
        cache.put(key("b"), vec![2.0; 4]);
        assert_eq!(cache.get(&key("a")), Some(vec![1.0; 4]));
        cache.put(key("c"), vec![3.0; 4]);
        assert_eq!(cache.get(&key("b")), None);
        assert_eq!(cache.get(&key("a")), Some(vec![1.0; 4]));
        assert_eq!(cache.get(&key("c")), Some(vec![3.0; 4]));
    }

    #[test]
    fn same_vector_twice_counts_once() {
        let revision = Arc::from("r");
        let mut cache = Cache::new(bytes(&[0.0; 4]));
        for _ in 0..3 {
            cache.put(Key::new("a", &revision), vec![1.0; 4]);
        }
        assert_eq!(cache.bytes, bytes(&[0.0; 4]));
        assert!(cache.get(&Key::new("a", &revision)).is_some());
    }

    #[test]
    fn another_revision_is_another_text() {
        let mut cache = Cache::new(1 << 20);
        cache.put(Key::new("a", &Arc::from("old")), vec![1.0]);
        assert_eq!(cache.get(&Key::new("a", &Arc::from("new"))), None);
    }

    #[test]
    fn cache_without_room_keeps_nothing() {
        let mut cache = Cache::new(1 << 20);
        let key = Key::new("a", &Arc::from("r"));
        cache.put(key.clone(), vec![1.0]);
        cache.resize(0);
        assert_eq!((cache.get(&key), cache.bytes), (None, 0));
    }
}
